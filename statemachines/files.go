// Package statemachines holds the state machine files, for the processes that
// run them without Step Functions.
package statemachines

import "embed"

// Files holds chain.asl.json, extract.asl.json and load.asl.json.
//
//go:embed *.asl.json
var Files embed.FS
