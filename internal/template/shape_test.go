package template_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

func machines(s stack) (problems []string) {
	groups := s.of("AWS::Logs::LogGroup")
	for _, one := range s.of("AWS::StepFunctions::StateMachine") {
		if s.prop(one, "LoggingConfiguration", "IncludeExecutionData") != false {
			problems = append(problems, one+" logs what goes through it")
		}
		if s.prop(one, "LoggingConfiguration", "Level") != "ALL" || !slices.ContainsFunc(groups, func(g string) bool {
			return slices.Contains(texts(s.prop(one, "LoggingConfiguration", "Destinations")), g)
		}) {
			problems = append(problems, one+" does not log to a group of this stack")
		}
		if s.prop(one, "StateMachineType") != "STANDARD" {
			problems = append(problems, one+" is not a standard machine")
		}
		version := s.Resources[one+"Version"]
		if version == nil || version.Type != "AWS::StepFunctions::StateMachineVersion" || id(version.Properties["StateMachineArn"]) != one ||
			id(version.Properties["StateMachineRevisionId"]) != one || version.DeletionPolicy != "Retain" {
			problems = append(problems, one+" publishes no version that outlives the next one")
		}
	}
	for _, one := range s.functions() {
		if v := s.prop(one, "Environment", "Variables", "CHAIN_MACHINE"); v != nil && published(v) != "ChainMachineAlias" {
			problems = append(problems, one+" does not start the published version")
		}
	}
	for _, child := range []string{"ExtractMachine", "LoadMachine"} {
		if published(s.prop("ChainMachine", "DefinitionSubstitutions", child)) != child+"Version" {
			problems = append(problems, "ChainMachine does not start the published version of "+child)
		}
	}
	if id(list(s.prop("ChainMachineAlias", "RoutingConfiguration"))[0].(map[string]any)["StateMachineVersionArn"]) != "ChainMachineVersion" { //nolint:forcetypeassert // fails the test
		problems = append(problems, "ChainMachineAlias does not lead to the published version")
	}
	return problems
}

// published returns what a value names in an AWS account.
func published(v any) string {
	if choice, _ := at(v, "Fn::If").([]any); len(choice) == 3 && choice[0] == "IsOnAws" {
		return id(choice[1])
	}
	return ""
}

func failureAlarms(s stack) (problems []string) {
	watched := map[string]bool{}
	for _, one := range s.of("AWS::CloudWatch::Alarm") {
		for _, d := range list(s.prop(one, "Dimensions")) {
			watched[fmt.Sprint(s.prop(one, "Namespace"), " ", s.prop(one, "MetricName"), " ", id(at(d, "Value")))] = true
		}
	}
	need := func(what string) {
		if !watched[what] {
			problems = append(problems, "nothing watches "+what)
		}
	}
	for _, one := range s.functions() {
		need("AWS/Lambda Errors " + one)
		need("AWS/Lambda Throttles " + one)
	}
	for _, one := range s.of("AWS::StepFunctions::StateMachine") {
		need("AWS/States ExecutionsFailed " + one)
	}
	for _, one := range []string{"ExtractMachine", "LoadMachine"} { // the chain machine has no timeout
		need("AWS/States ExecutionsTimedOut " + one)
	}
	for _, one := range s.of("AWS::SQS::Queue") {
		need("AWS/SQS ApproximateNumberOfMessagesVisible " + one)
	}
	return problems
}

func alarmTexts(s stack) (problems []string) {
	for _, one := range s.of("AWS::CloudWatch::Alarm") {
		text := strings.Join(texts(s.prop(one, "AlarmDescription")), " ")
		if strings.Count(text, ".") < 2 && !strings.Contains(text, ",") {
			problems = append(problems, fmt.Sprintf("%s does not tell what to do: %q", one, text))
		}
		if len(list(s.prop(one, "AlarmActions"))) != 1 || id(list(s.prop(one, "AlarmActions"))[0]) != "AlarmTopic" {
			problems = append(problems, one+" tells nobody")
		}
		if s.prop(one, "TreatMissingData") != "notBreaching" {
			problems = append(problems, one+" takes silence for trouble")
		}
	}
	if len(s.of("AWS::CloudWatch::Dashboard")) != 1 || len(s.of("AWS::SNS::Topic")) != 1 {
		problems = append(problems, "there is not exactly one dashboard and one topic")
	}
	return problems
}

// logged are the only things that the access log may hold: neither a path's
// variables, nor a query string, nor a header.
var logged = []string{
	"requestId", "requestTimeEpoch", "routeKey", "status", "responseLatency", "error.responseType", "integrationErrorMessage",
}

func routes(s stack) (problems []string) {
	for _, one := range s.of("AWS::ApiGatewayV2::Route") {
		target := strings.Trim(strings.TrimPrefix(fmt.Sprint(s.prop(one, "Target", "Fn::Sub")), "integrations/"), "${}")
		function := id(s.prop(target, "IntegrationUri"))
		if !slices.Contains(s.functions(), function) || s.prop(target, "PayloadFormatVersion") != "2.0" {
			problems = append(problems, one+" leads to no function")
			continue
		}
		method, path, _ := strings.Cut(fmt.Sprint(s.prop(one, "RouteKey")), " ")
		allowed := slices.ContainsFunc(s.of("AWS::Lambda::Permission"), func(p string) bool {
			source := fmt.Sprint(s.prop(p, "SourceArn", "Fn::Sub"))
			return id(s.prop(p, "FunctionName")) == function && s.prop(p, "Principal") == "apigateway.amazonaws.com" &&
				(strings.HasSuffix(source, "${Api}/*/"+method+path) || method == "$default" && strings.HasSuffix(source, "${Api}/*/$default"))
		})
		if !allowed {
			problems = append(problems, fmt.Sprintf("%s may not call %s", one, function))
		}
	}
	for _, one := range s.of("AWS::Lambda::Permission") {
		if s.prop(one, "SourceArn") == nil {
			problems = append(problems, one+" lets anybody's API call the function")
		}
	}
	for _, one := range s.of("AWS::ApiGatewayV2::Stage") {
		if s.prop(one, "DefaultRouteSettings", "ThrottlingRateLimit") == nil || s.prop(one, "DefaultRouteSettings", "ThrottlingBurstLimit") == nil {
			problems = append(problems, one+" is not throttled")
		}
		for _, found := range regexp.MustCompile(`\$context\.([A-Za-z.]+)`).FindAllStringSubmatch(fmt.Sprint(s.prop(one, "AccessLogSettings", "Format")), -1) {
			if !slices.Contains(logged, found[1]) {
				problems = append(problems, one+" logs "+found[1])
			}
		}
	}
	return problems
}

var isSecret = regexp.MustCompile(`Secret$|AccessKey$`)

func secrets(s stack) (problems []string) {
	for name, p := range s.Parameters {
		if isSecret.MatchString(name) != (p["NoEcho"] == true) {
			problems = append(problems, name+": whether it is a secret, and whether it is shown, do not fit")
		}
	}
	for one, r := range s.Resources {
		if r.Type == "AWS::SecretsManager::Secret" {
			continue
		}
		for _, text := range texts(r.Properties) {
			for name := range s.Parameters {
				if isSecret.MatchString(name) && (text == name || strings.Contains(text, "${"+name+"}")) {
					problems = append(problems, one+" shows "+name)
				}
			}
		}
	}
	for name, out := range s.Outputs {
		if out["Description"] == nil {
			problems = append(problems, "output "+name+" does not explain itself")
		}
	}
	return problems
}

func parameters(s stack) (problems []string) {
	used := texts(s.Conditions)
	for _, r := range s.Resources {
		used = append(used, texts(r.Properties)...)
	}
	for name, p := range s.Parameters {
		if !slices.ContainsFunc(used, func(text string) bool { return text == name || strings.Contains(text, "${"+name+"}") }) {
			problems = append(problems, name+" is asked for and not used")
		}
		text, _ := p["Description"].(string)
		if !strings.HasSuffix(text, ".") || len(text) < 20 {
			problems = append(problems, fmt.Sprintf("%s is described as %q", name, text))
		}
		if p["AllowedValues"] != nil {
			continue
		}
		constraint, _ := p["ConstraintDescription"].(string)
		if p["AllowedPattern"] == nil && p["MinValue"] == nil || !strings.HasPrefix(constraint, "must be ") {
			problems = append(problems, name+" does not say which values it takes")
		}
	}
	return problems
}
