package template_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// checks :: what must hold → what finds where it does not
var checks = map[string]func(stack) []string{
	"each function and machine has a role of its own":             ownRoles,
	"no role may do all of something or on everything":            exactPermissions,
	"who reads a variable may use what it names, and nobody else": permissionsFollowVariables,
	"every role has the permissions boundary":                     boundaries,
	"what is stored is encrypted with keys that rotate":           encryption,
	"the table and the bucket survive mistakes":                   protection,
	"logs are kept for a limited time":                            retention,
	"what nobody waits for has a dead-letter queue":               deadLetters,
	"functions and machines are traced":                           tracing,
	"machines log no data and run published versions":             machines,
	"every function and machine raises an alarm":                  failureAlarms,
	"every alarm tells somebody what to do":                       alarmTexts,
	"routes lead to functions that may be called by them":         routes,
	"secrets are shown nowhere":                                   secrets,
	"every parameter explains itself":                             parameters,
}

func TestTheTemplateHoldsWhatItMust(t *testing.T) {
	s := real(t)
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			for _, problem := range check(s) {
				t.Error(problem)
			}
		})
	}
}

func ownRoles(s stack) (problems []string) {
	users := map[string][]string{}
	for _, one := range s.functions() {
		users[id(s.prop(one, "Role"))] = append(users[id(s.prop(one, "Role"))], one)
	}
	for _, one := range s.of("AWS::StepFunctions::StateMachine") {
		users[id(s.prop(one, "RoleArn"))] = append(users[id(s.prop(one, "RoleArn"))], one)
	}
	for role, who := range users {
		if r := s.Resources[role]; len(who) != 1 || r == nil || r.Type != "AWS::IAM::Role" {
			problems = append(problems, fmt.Sprintf("%q is the role of %s", role, who))
		} else if r.Properties["ManagedPolicyArns"] != nil {
			problems = append(problems, role+" has policies that are not written here")
		}
	}
	return problems
}

// onEverything are the actions whose resource can only be "*", by the service
// authorization reference of AWS (November 2026).
var onEverything = []string{
	"xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets",
	"logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:ListLogDeliveries",
	"logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
	"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
	"scheduler:ListSchedules",
}

func exactPermissions(s stack) (problems []string) {
	for _, role := range s.of("AWS::IAM::Role") {
		for _, one := range s.statements(role) {
			for _, action := range one.actions {
				if strings.Contains(action, "*") {
					problems = append(problems, role+" may "+action)
				}
				for _, r := range one.resources {
					if everything(r) && !slices.Contains(onEverything, action) {
						problems = append(problems, fmt.Sprintf("%s may %s on %v", role, action, r))
					}
				}
			}
			if len(one.resources) == 0 {
				problems = append(problems, fmt.Sprintf("%s may %s on nothing that is named", role, one.actions))
			}
		}
	}
	for _, policy := range s.of("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy") {
		problems = append(problems, policy+" lies outside the roles")
	}
	return problems
}

// everything reports whether a resource is "*", or all of a kind.
func everything(r any) bool {
	arn, isText := r.(string)
	if sub, ok := at(r, "Fn::Sub").(string); ok {
		arn, isText = sub, true
	} else if parts, ok := at(r, "Fn::Sub").([]any); ok {
		arn, isText = fmt.Sprint(parts[0]), true
	}
	if !isText || strings.HasPrefix(arn, "${") {
		return false // a resource of this stack, or below it
	}
	parts := strings.SplitN(strings.ReplaceAll(arn, "AWS::", "AWS."), ":", 6)
	return len(parts) < 6 || strings.HasPrefix(parts[5], "*") ||
		strings.HasSuffix(parts[5], "/*") && !strings.Contains(parts[5], "${") && !strings.HasPrefix(parts[5], "network-interface/")
}

// uses :: variable → the action without which it is of no use
var uses = map[string]string{
	"SECRET": "secretsmanager:GetSecretValue", "MAIL_FROM": "ses:SendEmail", "TABLE": "dynamodb:GetItem",
	"SCHEDULE_GROUP": "scheduler:CreateSchedule", "CHAIN_MACHINE": "states:DescribeExecution",
}

func permissionsFollowVariables(s stack) (problems []string) {
	for _, one := range s.functions() {
		may := s.may(id(s.prop(one, "Role")))
		opens := slices.ContainsFunc(s.statements(id(s.prop(one, "Role"))), func(st statement) bool {
			return slices.Contains(st.actions, "kms:Decrypt") && len(st.resources) == 1 && id(st.resources[0]) == "SealKey"
		})
		if s.prop(one, "Environment", "Variables", "SECRET") != nil && !opens {
			problems = append(problems, one+" may not open the secret that it reads")
		}
		for variable, action := range uses {
			reads := s.prop(one, "Environment", "Variables", variable) != nil
			starts := variable == "CHAIN_MACHINE" && slices.Contains(may, "states:StartExecution") // who only starts need not look
			if allowed := slices.Contains(may, action) || starts; reads != allowed {
				problems = append(problems, fmt.Sprintf("%s reads %s: %t, and may %s: %t", one, variable, reads, action, allowed))
			}
		}
	}
	return problems
}

func boundaries(s stack) (problems []string) {
	for _, role := range s.of("AWS::IAM::Role") {
		if choice, _ := s.prop(role, "PermissionsBoundary", "Fn::If").([]any); len(choice) != 3 || id(choice[1]) != "PermissionsBoundary" {
			problems = append(problems, role+" has no permissions boundary")
		}
	}
	return problems
}

func encryption(s stack) (problems []string) {
	need := func(what, key string) {
		if r := s.Resources[key]; r == nil || r.Type != "AWS::KMS::Key" {
			problems = append(problems, what+" is not encrypted with a key of this stack")
		}
	}
	for _, one := range s.of("AWS::DynamoDB::Table") {
		need(one, id(s.prop(one, "SSESpecification", "KMSMasterKeyId")))
		if s.prop(one, "SSESpecification", "SSEType") != "KMS" || s.prop(one, "SSESpecification", "SSEEnabled") != true {
			problems = append(problems, one+" does not use its key")
		}
	}
	for _, one := range s.of("AWS::S3::Bucket") {
		rules := list(s.prop(one, "BucketEncryption", "ServerSideEncryptionConfiguration"))
		if len(rules) != 1 {
			problems = append(problems, one+" needs one rule of encryption")
			continue
		}
		need(one, id(at(rules[0], "ServerSideEncryptionByDefault", "KMSMasterKeyID")))
	}
	for _, one := range s.of("AWS::Logs::LogGroup", "AWS::SecretsManager::Secret") {
		need(one, id(s.prop(one, "KmsKeyId")))
	}
	for _, one := range s.of("AWS::SNS::Topic") {
		need(one, id(s.prop(one, "KmsMasterKeyId")))
	}
	for _, one := range s.of("AWS::SQS::Queue") {
		if s.prop(one, "SqsManagedSseEnabled") != true {
			problems = append(problems, one+" is not encrypted")
		}
	}
	keys := s.of("AWS::KMS::Key")
	for _, one := range keys {
		if s.prop(one, "EnableKeyRotation") != true {
			problems = append(problems, one+" does not rotate")
		}
	}
	if len(keys) != 2 {
		problems = append(problems, fmt.Sprintf("there are %d keys", len(keys)))
	}
	return problems
}

func protection(s stack) (problems []string) {
	want := func(what string, ok bool) {
		if !ok {
			problems = append(problems, what)
		}
	}
	for _, one := range s.of("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::Cognito::UserPool") {
		want(one+" goes with the stack", s.Resources[one].DeletionPolicy == "RetainExceptOnCreate")
	}
	for _, one := range s.of("AWS::DynamoDB::Table") {
		want(one+" has no point in time to go back to", s.prop(one, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") == true)
		want(one+" does not expire items", s.prop(one, "TimeToLiveSpecification", "Enabled") == true && s.prop(one, "TimeToLiveSpecification", "AttributeName") != nil)
		want(one+" is not protected", s.prop(one, "DeletionProtectionEnabled") != nil && s.prop(one, "DeletionProtectionEnabled") != false)
		want(one+" is not on demand", s.prop(one, "BillingMode") == "PAY_PER_REQUEST")
	}
	for _, one := range s.of("AWS::S3::Bucket") {
		for _, name := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
			want(one+" does not "+name, s.prop(one, "PublicAccessBlockConfiguration", name) == true)
		}
		want(one+" keeps no versions", s.prop(one, "VersioningConfiguration", "Status") == "Enabled")
		want(one+" has other owners", slices.Contains(texts(s.prop(one, "OwnershipControls")), "BucketOwnerEnforced"))
		expires := map[any]bool{}
		for _, rule := range list(s.prop(one, "LifecycleConfiguration", "Rules")) {
			expires[at(rule, "Prefix")] = at(rule, "ExpirationInDays") != nil && at(rule, "Status") == "Enabled"
		}
		want(one+" keeps staged or error files forever", expires["runs/"] && expires["errors/"])
		policy := slices.IndexFunc(s.of("AWS::S3::BucketPolicy"), func(p string) bool { return id(s.prop(p, "Bucket")) == one })
		want(one+" has no policy", policy >= 0)
		if policy >= 0 {
			doc, _ := json.Marshal(s.prop(s.of("AWS::S3::BucketPolicy")[policy], "PolicyDocument"))
			want(one+" takes requests without TLS", strings.Contains(string(doc), `"Deny"`) && strings.Contains(string(doc), `"aws:SecureTransport":"false"`))
		}
	}
	return problems
}

func retention(s stack) (problems []string) {
	groups := map[string]bool{}
	for _, one := range s.of("AWS::Logs::LogGroup") {
		groups[one] = true
		if s.prop(one, "RetentionInDays") == nil {
			problems = append(problems, one+" is kept forever")
		}
	}
	for _, one := range s.functions() {
		if !groups[id(s.prop(one, "LoggingConfig", "LogGroup"))] {
			problems = append(problems, one+" logs to a group that is not of this stack")
		}
	}
	for _, one := range s.of("AWS::ApiGatewayV2::Stage") {
		if !groups[id(s.prop(one, "AccessLogSettings", "DestinationArn"))] {
			problems = append(problems, one+" has no access log of this stack")
		}
	}
	return problems
}

func deadLetters(s stack) (problems []string) {
	queue := func(v any) bool { r := s.Resources[id(v)]; return r != nil && r.Type == "AWS::SQS::Queue" }
	async := map[string]bool{}
	for _, rule := range s.of("AWS::Events::Rule") {
		for _, target := range list(s.prop(rule, "Targets")) {
			async[id(at(target, "Arn"))] = true
			if !queue(at(target, "DeadLetterConfig", "Arn")) {
				problems = append(problems, rule+" loses what it cannot deliver")
			}
		}
	}
	for one := range async {
		if !queue(s.prop(one, "DeadLetterConfig", "TargetArn")) {
			problems = append(problems, one+" loses the events on which it fails")
		}
		if !slices.Contains(s.may(id(s.prop(one, "Role"))), "sqs:SendMessage") {
			problems = append(problems, one+" may not send to its dead-letter queue")
		}
	}
	if len(async) == 0 {
		problems = append(problems, "no rule starts anything")
	}
	if !slices.Contains(s.may("ScheduleRole"), "sqs:SendMessage") {
		problems = append(problems, "schedules may not send to their dead-letter queue")
	}
	return problems
}

func tracing(s stack) (problems []string) {
	for _, one := range s.functions() {
		if s.prop(one, "TracingConfig", "Mode") != "Active" || !slices.Contains(s.may(id(s.prop(one, "Role"))), "xray:PutTraceSegments") {
			problems = append(problems, one+" is not traced")
		}
	}
	for _, one := range s.of("AWS::StepFunctions::StateMachine") {
		if s.prop(one, "TracingConfiguration", "Enabled") != true || !slices.Contains(s.may(id(s.prop(one, "RoleArn"))), "xray:PutTraceSegments") {
			problems = append(problems, one+" is not traced")
		}
	}
	return problems
}
