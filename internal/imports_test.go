package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "hubspotconnector/"

// allowed lists, for each package, the packages of this module that it may
// import. It is the map of the system: read it from top to bottom. A package
// may only name packages above it, so there are no cycles by construction.
var allowed = []struct{ pkg, imports string }{
	// Words. No I/O and no clock.
	{"fault", ""},
	{"record", "fault"},
	{"meter", ""},
	{"clock", ""},
	{"metric", ""},

	// Ports, each with the suite that its adapters pass.
	{"table", "fault"},
	{"table/tabletest", "fault table"},
	{"blob", "fault"},
	{"blob/blobtest", "blob fault"},
	{"secret", "fault"},
	{"secret/sealertest", "fault secret"},
	{"mail", ""},
	{"mail/mailtest", "mail"},
	{"machine", "fault"},
	{"machine/machinetest", "fault machine"},

	// Shared limits, who may run, and who may refresh a token.
	{"budget", "fault table"},
	{"lease", "fault table"},
	{"token", "clock fault lease secret table"},

	// What admins configure. Pure, but for what keeps it in the table.
	{"catalog", ""},
	{"activity", "fault table"},
	{"avatar", "fault table"},
	{"mapping/condition", "fault record"},
	{"mapping/lookup", "fault"},
	{"mapping/formula", "mapping/condition record"},
	{"mapping", "catalog fault mapping/condition mapping/formula mapping/lookup record"},
	{"schedule", "activity fault table"},
	{"schedule/schedulertest", "fault schedule"},
	{"job", "activity catalog fault mapping record schedule table"},
	{"person", "activity fault job mapping table"},
	{"chain", "activity fault job schedule table"},
	{"connection", "activity chain fault job schedule secret table token"},
	{"ootb", "catalog chain connection fault job mapping record table"},
	{"oauth", "connection fault secret table token"},
	{"setting", "activity budget fault schedule secret table"},
	{"config", "chain connection fault job mapping ootb person record schedule table"},

	// What a run is made of.
	{"run", "fault lease meter record table"},
	{"mark", "fault record table"},
	{"staging", "blob fault job mapping/lookup mark record run"},
	{"delta", "fault record run table"},

	// The steps of a run: one package, one function and one state each.
	{"step", "delta fault mapping/lookup mark record run staging"},
	{"step/plan", "catalog chain connection fault job mapping meter person record run schedule staging step"},
	{"step/extract", "fault mark record run staging step"},
	{"step/transform", "delta fault mapping mapping/lookup mark record run staging step"},
	{"step/upsert", "avatar delta fault job mapping/lookup mark record run staging step table"},
	{"step/finish", "activity blob catalog delta fault mark metric record run staging step table"},
	{"step/notify", "fault mail mapping record run step"},
	{"step/sweep", "fault machine run step"},

	// What HubSpot tells, and what must be forgotten.
	{"privacy", "blob fault run staging table"},
	{"webhook", "catalog connection fault job machine mark metric run secret"},

	// How it stands.
	{"gauge", "budget connection metric run schedule"},

	// The vendors. They know records, and nothing of runs.
	{"apiclient", "budget clock fault"},
	{"hubspot", "apiclient budget fault record secret token"},
	{"gainsight", "apiclient budget fault record secret token"},

	// Adapters, each named after what it adapts to, and the Lambda boundary.
	{"table/bolttable", "fault table"},
	{"blob/dirblob", "blob fault"},
	{"secret/filesealer", "fault secret"},
	{"awsfault", "fault"},
	{"table/dynamotable", "awsfault clock fault table"},
	{"blob/s3blob", "awsfault blob clock fault"},
	{"awshttp", ""},
	{"awstest", "awshttp"},
	{"machine/sfnmachine", "awsfault fault machine"},
	{"secret/kmssealer", "awsfault fault secret"},
	{"mail/sesmail", "awsfault fault mail"},
	{"schedule/ebscheduler", "awsfault fault schedule"},
	{"schedule/localscheduler", "clock fault schedule table"},
	{"template", ""}, // tests alone: template.yaml against the code
	{"mail/dirmail", "fault mail"},
	{"mail/slackhook", "fault mail secret"},
	{"serve", "fault metric secret"},
	{"serve/runtimetest", ""},

	// All of it, put together for functions and for local runs.
	{"doctor", "apiclient clock fault gainsight hubspot record secret table token"},
	{"connector", "activity apiclient avatar blob budget catalog chain config connection delta doctor fault gainsight gauge hubspot job lease machine mail mail/slackhook mapping mark meter metric oauth ootb person privacy record run schedule secret serve setting staging step step/extract step/finish step/notify step/plan step/sweep step/transform step/upsert table token webhook"},
	{"deployed", "awsfault awshttp blob/s3blob connector fault machine/sfnmachine mail mail/sesmail schedule/ebscheduler secret secret/kmssealer serve table/dynamotable"},

	// What people and programs reach.
	{"preview", "avatar blob delta fault lease record run staging step step/extract step/plan step/transform step/upsert table"},
	{"signin", "fault secret"},
	{"admin", "activity avatar blob budget catalog chain clock connection connector delta fault gainsight hubspot job lease machine mapping mapping/lookup meter ootb person preview record run schedule setting staging step step/extract step/plan step/transform step/upsert table token webhook"},
	{"console", "activity admin budget catalog chain connection connector fault gainsight job mapping mapping/condition mapping/formula record run schedule secret setting signin"},
	{"api", "activity admin budget catalog chain config connection connector doctor fault gainsight job mapping mapping/condition person record run schedule secret setting signin"},
	{"site", "admin api console signin"},
}

// alone must import nothing of ours but each other, so that they cannot share a
// bug with the code they check: the ASL interpreter and the vendors' simulators.
var alone = []string{"asl", "hubspot/hubspotsim", "gainsight/gainsightsim"}

// free may import everything: it puts the whole system into one process, or
// looks at all of it.
var free = []string{"inprocess", "truth", "local", "scenario", "e2e", "browser"}

// notInLambda is for local runs and for tests. No function may import it.
var notInLambda = append([]string{
	"awstest", "serve/runtimetest", "inprocess", "truth", "local", "scenario", "machine/localmachine", "machine/machinetest", "secret/sealertest", "mail/mailtest", "schedule/schedulertest", "schedule/localscheduler", "table/bolttable", "table/tabletest", "mail/dirmail", "blob/dirblob", "blob/blobtest", "secret/filesealer",
}, alone...)

// walls lists the libraries that only some packages may import.
var walls = []struct{ library, pkgs string }{
	{"github.com/aws/aws-lambda-go", "serve"},
	{"go.etcd.io/bbolt", "table/bolttable"},
	{"github.com/danielgtaylor/huma/v2", "api"},
	{"github.com/aws/aws-sdk-go-v2", "awsfault awstest deployed table/dynamotable blob/s3blob secret/kmssealer mail/sesmail machine/sfnmachine schedule/ebscheduler"},
}

func TestImports(t *testing.T) {
	rules := readTable(t)
	seen := map[string]bool{}
	for dir, imports := range importsUnder(t, "functions", "internal") {
		pkg, isInternal := strings.CutPrefix(dir, "internal/")
		rule, known := rules[pkg]
		if isInternal && !known {
			t.Errorf("internal/%s is not in the table", pkg)
			continue
		}
		seen[pkg] = true
		for _, imp := range imports {
			for _, w := range walls {
				if strings.HasPrefix(imp+"/", w.library+"/") && !slices.Contains(strings.Fields(w.pkgs), pkg) {
					t.Errorf("%s imports %s; only these may: %s", dir, imp, w.pkgs)
				}
			}
			dep, ours := strings.CutPrefix(imp, module+"internal/")
			switch {
			case strings.HasPrefix(imp, module+"functions/"):
				t.Errorf("%s imports %s; functions are not libraries", dir, imp)
			case ours && isInternal && !slices.Contains(rule, dep):
				t.Errorf("internal/%s imports internal/%s, which its row does not allow", pkg, dep)
			case ours && !isInternal && slices.Contains(notInLambda, dep):
				t.Errorf("%s imports internal/%s, which is not for Lambda", dir, dep)
			}
		}
	}
	for pkg := range rules {
		if !seen[pkg] {
			t.Errorf("the table names internal/%s, which does not exist", pkg)
		}
	}
}

// readTable returns, for each package, the packages of ours that it may import.
func readTable(t *testing.T) map[string][]string {
	t.Helper()
	rules := map[string][]string{"machine/localmachine": {"asl", "fault", "machine"}}
	for _, row := range allowed {
		imports := strings.Fields(row.imports)
		for _, imp := range imports {
			if _, above := rules[imp]; !above {
				t.Errorf("allowed: %s may not name %s, which is not above it", row.pkg, imp)
			}
		}
		rules[row.pkg] = imports
	}
	for _, pkg := range alone {
		rules[pkg] = alone
	}
	for _, pkg := range free {
		rules[pkg] = slices.Collect(maps.Keys(rules))
	}
	return rules
}

// importsUnder returns the non-test imports of every package, by its folder in
// the repository. It parses in this process, because the go command caches a
// test's result unless it sees the test itself open the files it depends on.
func importsUnder(t *testing.T, roots ...string) map[string][]string {
	t.Helper()
	repo, byDir := os.DirFS(".."), map[string][]string{}
	visit := func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		src, err := fs.ReadFile(repo, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		imports := byDir[path.Dir(name)]
		for _, spec := range f.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, imp)
		}
		byDir[path.Dir(name)] = imports
		return nil
	}
	for _, root := range roots {
		if err := fs.WalkDir(repo, root, visit); err != nil {
			t.Fatal(err)
		}
	}
	return byDir
}
