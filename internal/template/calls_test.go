package template_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// needed :: SDK package and operation → the actions that a role needs for it, by
// the service authorization reference of AWS (November 2026). dynamodb's
// TransactWriteItems has those of the parts that the adapter uses.
var needed = map[string][]string{
	"dynamodb.GetItem": {"dynamodb:GetItem"}, "dynamodb.BatchGetItem": {"dynamodb:BatchGetItem"}, "dynamodb.Query": {"dynamodb:Query"},
	"dynamodb.UpdateItem": {"dynamodb:UpdateItem"}, "dynamodb.DeleteItem": {"dynamodb:DeleteItem"},
	"dynamodb.TransactWriteItems": {"dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"},
	"s3.GetObject":                {"s3:GetObject"}, "s3.HeadObject": {"s3:GetObject"}, "s3.ListObjectsV2": {"s3:ListBucket"},
	"s3.PutObject": {"s3:PutObject"}, "s3.CreateMultipartUpload": {"s3:PutObject"}, "s3.UploadPart": {"s3:PutObject"}, "s3.CompleteMultipartUpload": {"s3:PutObject"},
	"s3.AbortMultipartUpload": {"s3:AbortMultipartUpload"}, "s3.DeleteObject": {"s3:DeleteObject"},
	"kms.Encrypt": {"kms:Encrypt"}, "kms.Decrypt": {"kms:Decrypt"}, "kms.GenerateDataKey": {"kms:GenerateDataKey"},
	"secretsmanager.GetSecretValue": {"secretsmanager:GetSecretValue"},
	"sesv2.SendEmail":               {"ses:SendEmail"},
	"sfn.StartExecution":            {"states:StartExecution"}, "sfn.DescribeExecution": {"states:DescribeExecution"}, "sfn.StopExecution": {"states:StopExecution"},
	"scheduler.CreateSchedule": {"scheduler:CreateSchedule", "iam:PassRole"}, "scheduler.UpdateSchedule": {"scheduler:UpdateSchedule", "iam:PassRole"},
	"scheduler.DeleteSchedule": {"scheduler:DeleteSchedule"}, "scheduler.GetSchedule": {"scheduler:GetSchedule"}, "scheduler.ListSchedules": {"scheduler:ListSchedules"},
}

// called reads from an adapter's code what it calls, as actions.
func called(t *testing.T, pkg string) []string {
	t.Helper()
	files, err := filepath.Glob("../" + pkg + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			sdk, isIdent := sel.X.(*ast.Ident)
			operation, isInput := strings.CutSuffix(sel.Sel.Name, "Input")
			if !isIdent || !isInput || operation == "" {
				return true
			}
			known, ok := needed[sdk.Name+"."+operation]
			if !ok {
				t.Errorf("%s calls %s.%s, whose actions are not listed", name, sdk.Name, operation)
			}
			actions = append(actions, known...)
			return true
		})
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// An engine that is not AWS lets everybody do everything, so the permissions are
// held against what the adapters call.
func TestRolesMayWhatTheAdaptersCallAndNothingElse(t *testing.T) {
	s := real(t)
	all := []string{"sqs:SendMessage"} // by Lambda itself
	for _, pkg := range []string{"table/dynamotable", "blob/s3blob", "secret/kmssealer", "mail/sesmail", "machine/sfnmachine", "schedule/ebscheduler", "deployed"} {
		all = append(all, called(t, pkg)...)
	}
	for _, one := range s.functions() {
		role := id(s.prop(one, "Role"))
		may := s.may(role)
		for _, action := range called(t, "table/dynamotable") {
			if !slices.Contains(may, action) {
				t.Errorf("%s may not %s, which the table needs", one, action)
			}
		}
		for action, and := range map[string]string{
			"s3:PutObject": "s3:AbortMultipartUpload", "s3:GetObject": "s3:ListBucket", // without it a missing file is 403 and not 404
			"scheduler:CreateSchedule": "iam:PassRole",
		} {
			if slices.Contains(may, action) && !slices.Contains(may, and) {
				t.Errorf("%s may %s and not %s", one, action, and)
			}
		}
		for _, st := range s.statements(role) {
			if slices.ContainsFunc(st.resources, func(r any) bool { return id(r) == "SealKey" }) && one != "WebhookFunction" { // which opens the secret and seals nothing
				for _, action := range called(t, "secret/kmssealer") {
					if !slices.Contains(st.actions, action) {
						t.Errorf("%s may not %s, which sealing needs", one, action)
					}
				}
			}
			encrypts := strings.Contains(strings.Join(texts(st.condition), " "), "kms:ViaService") // done by DynamoDB and S3
			for _, action := range st.actions {
				if !everybodys(action) && st.when == "" && !encrypts && !slices.Contains(all, action) {
					t.Errorf("%s may %s, which nothing calls", one, action)
				}
			}
		}
	}
}
