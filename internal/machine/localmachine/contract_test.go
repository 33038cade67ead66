package localmachine_test

import (
	"testing"
	"testing/fstest"

	"hubspotconnector/internal/machine/localmachine"
	"hubspotconnector/internal/machine/machinetest"
)

func TestMachines(t *testing.T) {
	file := &fstest.MapFile{Data: []byte(machinetest.Definition)}
	m, err := localmachine.New(fstest.MapFS{"chain.asl.json": file, "extract.asl.json": file, "load.asl.json": file}, localmachine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	machinetest.Run(t, m)
}
