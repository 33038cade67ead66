package scenario

import (
	"fmt"
	"net/http"
	"strconv"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
)

const page = "<html><body>Bad gateway</body></html>"

// hubspotKind is the fault that a scenario names: a status, a policy of 429, or
// what happens to the connection.
func hubspotKind(kind string) *hubspotsim.Fault {
	switch kind {
	case "":
		return nil
	case "reset":
		return &hubspotsim.Fault{Before: true}
	case "lost":
		return &hubspotsim.Fault{After: true}
	case "slow":
		return &hubspotsim.Fault{Delay: slow}
	case "html":
		return &hubspotsim.Fault{Status: http.StatusOK, Body: page}
	case "TEN_SECONDLY_ROLLING", "SECONDLY", "DAILY":
		return hubspotsim.TooMany(kind)
	}
	if n, ok := truncation(kind); ok {
		return &hubspotsim.Fault{Truncate: n}
	}
	return &hubspotsim.Fault{Status: status(kind), Body: page, Header: retry(kind)}
}

func gainsightKind(kind string) *gainsightsim.Fault {
	switch kind {
	case "":
		return nil
	case "reset":
		return &gainsightsim.Fault{Before: true}
	case "lost":
		return &gainsightsim.Fault{Lost: true}
	case "slow":
		return &gainsightsim.Fault{Delay: slow}
	case "html":
		return &gainsightsim.Fault{Status: http.StatusOK, Body: page}
	}
	if n, ok := truncation(kind); ok {
		return &gainsightsim.Fault{Truncate: n}
	}
	return &gainsightsim.Fault{Status: status(kind), Body: page}
}

// truncation reads "cut3": the answer ends after three eighths.
func truncation(kind string) (int, bool) {
	var n int
	_, err := fmt.Sscanf(kind, "cut%d", &n)
	return n, err == nil
}

func status(kind string) int {
	n, err := strconv.Atoi(kind)
	if err != nil {
		panic("scenario: no fault " + kind)
	}
	return n
}

// retry is the header of a 477: the portal moves for an hour.
func retry(kind string) http.Header {
	if kind == "477" {
		return http.Header{"Retry-After": {"3600"}}
	}
	return nil
}
