// Package e2e deploys template.yaml, as make deploy does, to an engine that is
// not ours and runs the main job there: Step Functions starts Lambda functions
// over DynamoDB, S3, KMS and Secrets Manager, against both simulated vendors. An
// admin signs in to the console, a program calls the API, and HubSpot tells of an
// edit, all through the deployed HTTP API.
//
// gaps.txt lists what the engine lacks, and what proves it instead.
package e2e
