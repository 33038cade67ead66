package template_test

import (
	"strings"
	"testing"
)

// set returns a change that puts a value where a resource's path leads; nil
// removes what is there.
func set(resource string, value any, path ...string) func(stack) {
	return func(s stack) {
		m := s.Resources[resource].Properties
		for _, name := range path[:len(path)-1] {
			m = m[name].(map[string]any) //nolint:forcetypeassert // fails the test
		}
		if value == nil {
			delete(m, path[len(path)-1])
			return
		}
		m[path[len(path)-1]] = value
	}
}

// allow returns a change that adds a permission to a role.
func allow(role, action string, resource any) func(stack) {
	return func(s stack) {
		policy := list(s.prop(role, "Policies"))[0]
		doc := at(policy, "PolicyDocument").(map[string]any) //nolint:forcetypeassert // fails the test
		doc["Statement"] = append(list(doc["Statement"]), map[string]any{"Effect": "Allow", "Action": action, "Resource": resource})
	}
}

func remove(ids ...string) func(stack) {
	return func(s stack) {
		for _, one := range ids {
			delete(s.Resources, one)
		}
	}
}

func sub(text string) map[string]any { return map[string]any{"Fn::Sub": text} }
func ref(name string) map[string]any { return map[string]any{"Ref": name} }
func arnOf(name string) map[string]any {
	return map[string]any{"Fn::GetAtt": []any{name, "Arn"}}
}

// mutations are ways to break the template; the check named must notice each.
var mutations = []struct {
	name, check string
	change      func(stack)
}{
	{"two functions share a role", "each function and machine has a role of its own", set("PlanFunction", arnOf("ExtractRole"), "Role")},
	{"a managed policy", "each function and machine has a role of its own", set("PlanRole", []any{"arn:aws:iam::aws:policy/PowerUserAccess"}, "ManagedPolicyArns")},
	{"all tables", "no role may do all of something or on everything", allow("PlanRole", "dynamodb:GetItem", "*")},
	{"all tables by name", "no role may do all of something or on everything", allow("PlanRole", "dynamodb:GetItem", sub("arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*"))},
	{"all actions", "no role may do all of something or on everything", allow("PlanRole", "s3:*", arnOf("Bucket"))},
	{"a policy beside the roles", "no role may do all of something or on everything", func(s stack) { s.Resources["P"] = &resource{Type: "AWS::IAM::Policy"} }},
	{"notify may read secrets", "who reads a variable may use what it names, and nobody else", allow("NotifyRole", "secretsmanager:GetSecretValue", ref("VendorSecret"))},
	{"plan may not read its secret", "who reads a variable may use what it names, and nobody else", func(s stack) { set("PlanRole", []any{}, "Policies")(s) }},
	{"no boundary", "every role has the permissions boundary", set("SweepRole", nil, "PermissionsBoundary")},
	{"a table in the clear", "what is stored is encrypted with keys that rotate", set("Table", nil, "SSESpecification")},
	{"a bucket in the clear", "what is stored is encrypted with keys that rotate", set("Bucket", nil, "BucketEncryption")},
	{"logs in the clear", "what is stored is encrypted with keys that rotate", set("PlanLogs", nil, "KmsKeyId")},
	{"a topic in the clear", "what is stored is encrypted with keys that rotate", set("AlarmTopic", nil, "KmsMasterKeyId")},
	{"a queue in the clear", "what is stored is encrypted with keys that rotate", set("DeadLetters", nil, "SqsManagedSseEnabled")},
	{"a secret under the account's key", "what is stored is encrypted with keys that rotate", set("VendorSecret", nil, "KmsKeyId")},
	{"a key that stays", "what is stored is encrypted with keys that rotate", set("SealKey", false, "EnableKeyRotation")},
	{"no point in time", "the table and the bucket survive mistakes", set("Table", nil, "PointInTimeRecoverySpecification")},
	{"no deletion protection", "the table and the bucket survive mistakes", set("Table", false, "DeletionProtectionEnabled")},
	{"items that never expire", "the table and the bucket survive mistakes", set("Table", nil, "TimeToLiveSpecification")},
	{"the table goes with the stack", "the table and the bucket survive mistakes", func(s stack) { s.Resources["Table"].DeletionPolicy = "" }},
	{"a public bucket", "the table and the bucket survive mistakes", set("Bucket", false, "PublicAccessBlockConfiguration", "BlockPublicPolicy")},
	{"files forever", "the table and the bucket survive mistakes", set("Bucket", nil, "LifecycleConfiguration")},
	{"a bucket without TLS", "the table and the bucket survive mistakes", remove("BucketPolicy")},
	{"logs forever", "logs are kept for a limited time", set("ChainMachineLogs", nil, "RetentionInDays")},
	{"logs elsewhere", "logs are kept for a limited time", set("PlanFunction", nil, "LoggingConfig")},
	{"an API without a log", "logs are kept for a limited time", set("ApiStage", nil, "AccessLogSettings")},
	{"a sweep without a queue", "what nobody waits for has a dead-letter queue", set("SweepFunction", nil, "DeadLetterConfig")},
	{"a rule without a queue", "what nobody waits for has a dead-letter queue", func(s stack) {
		delete(list(s.prop("HourlyRule", "Targets"))[0].(map[string]any), "DeadLetterConfig") //nolint:forcetypeassert // fails the test
	}},
	{"schedules without a queue", "what nobody waits for has a dead-letter queue", set("ScheduleRole", []any{}, "Policies")},
	{"a function in the dark", "functions and machines are traced", set("PlanFunction", nil, "TracingConfig")},
	{"a machine in the dark", "functions and machines are traced", set("LoadMachine", nil, "TracingConfiguration")},
	{"a machine that logs payloads", "machines log no data and run published versions", set("LoadMachine", true, "LoggingConfiguration", "IncludeExecutionData")},
	{"no version", "machines log no data and run published versions", remove("LoadMachineVersion")},
	{"versions that go", "machines log no data and run published versions", func(s stack) { s.Resources["LoadMachineVersion"].DeletionPolicy = "Delete" }},
	{"children that change while a chain runs", "machines log no data and run published versions", set("ChainMachine", ref("LoadMachine"), "DefinitionSubstitutions", "LoadMachine")},
	{"a start of the newest definition", "machines log no data and run published versions", set("SweepFunction", ref("ChainMachine"), "Environment", "Variables", "CHAIN_MACHINE")},
	{"a function nobody watches", "every function and machine raises an alarm", remove("ExtractErrors")},
	{"throttles nobody watches", "every function and machine raises an alarm", remove("ExtractThrottles")},
	{"a machine nobody watches", "every function and machine raises an alarm", remove("LoadMachineFailures")},
	{"a queue nobody watches", "every function and machine raises an alarm", remove("DeadLetter")},
	{"an alarm nobody hears", "every alarm tells somebody what to do", set("StuckRun", nil, "AlarmActions")},
	{"an alarm that says nothing", "every alarm tells somebody what to do", set("StuckRun", "Stuck", "AlarmDescription")},
	{"an alarm at night without data", "every alarm tells somebody what to do", set("StuckRun", "breaching", "TreatMissingData")},
	{"no dashboard", "every alarm tells somebody what to do", remove("Dashboard")},
	{"a route to nowhere", "routes lead to functions that may be called by them", set("OAuthCallbackRoute", sub("integrations/${Nothing}"), "Target")},
	{"a route without permission", "routes lead to functions that may be called by them", remove("OAuthCallbackPermission")},
	{"a function for every API", "routes lead to functions that may be called by them", set("OAuthCallbackPermission", nil, "SourceArn")},
	{"an API without limits", "routes lead to functions that may be called by them", set("ApiStage", nil, "DefaultRouteSettings")},
	{"codes in the log", "routes lead to functions that may be called by them", set("ApiStage", "$context.requestId $context.queryString", "AccessLogSettings", "Format")},
	{"a secret that shows", "secrets are shown nowhere", func(s stack) { delete(s.Parameters["HubSpotClientSecret"], "NoEcho") }},
	{"a secret in the environment", "secrets are shown nowhere", set("PlanFunction", ref("HubSpotClientSecret"), "Environment", "Variables", "X")},
	{"a parameter that nobody reads", "every parameter explains itself", func(s stack) {
		s.Parameters["Color"] = map[string]any{"Description": "The color of the connector.", "AllowedValues": []any{"red"}}
	}},
	{"a parameter without words", "every parameter explains itself", func(s stack) { delete(s.Parameters["GainsightUrl"], "Description") }},
	{"a parameter that takes anything", "every parameter explains itself", func(s stack) { delete(s.Parameters["GainsightUrl"], "AllowedPattern") }},
	{"a parameter that refuses without a word", "every parameter explains itself", func(s stack) { delete(s.Parameters["GainsightUrl"], "ConstraintDescription") }},
}

// Each check must notice what it is there for, on a template that it accepts
// otherwise.
func TestChecksNoticeABrokenTemplate(t *testing.T) {
	noticed := map[string]bool{}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			s := real(t)
			m.change(s)
			problems := checks[m.check](s)
			if len(problems) == 0 {
				t.Errorf("%q accepts it", m.check)
			}
			noticed[m.check] = true
			t.Log(strings.Join(problems, "; "))
		})
	}
	for name := range checks {
		if !noticed[name] {
			t.Errorf("no mutation shows that %q notices anything", name)
		}
	}
}
