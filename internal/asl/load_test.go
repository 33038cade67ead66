package asl_test

import (
	"strings"
	"testing"

	"hubspotconnector/internal/asl"
)

// valid uses every construct once; each refusal below changes one of them.
const valid = `{
	"Comment": "All of it.",
	"QueryLanguage": "JSONata",
	"StartAt": "Begin",
	"TimeoutSeconds": 100,
	"States": {
		"Begin": {"Comment": "c", "Type": "Pass", "Assign": {"list": "{% [1..3] %}", "round": 1}, "Output": {"a": "{% $states.input.a %}"}, "Next": "Ask"},
		"Ask": {
			"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 70,
			"Arguments": {"FunctionName": "${Fn}", "Payload": {"x": "{% $round %}"}},
			"Output": "{% $states.result.Payload %}",
			"Retry": [{"ErrorEquals": ["X", "Lambda.Unknown"], "IntervalSeconds": 2, "BackoffRate": 2, "MaxAttempts": 6, "MaxDelaySeconds": 60, "JitterStrategy": "FULL"}],
			"Catch": [{"ErrorEquals": ["Y"], "Assign": {"why": "{% $states.errorOutput.Cause %}"}, "Output": "o", "Next": "Tell"}, {"ErrorEquals": ["States.ALL"], "Next": "Lost"}],
			"Next": "Which"
		},
		"Tell": {"Type": "Pass", "Output": "{% $why %}", "Next": "Which"},
		"Which": {"Type": "Choice", "Choices": [{"Condition": "{% $states.input = 1 %}", "Assign": {"n": 1}, "Output": "x", "Next": "Both"}], "Default": "Sleep"},
		"Sleep": {"Type": "Wait", "Seconds": 5, "Next": "Child"},
		"Child": {
			"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "TimeoutSeconds": 10,
			"Arguments": {"StateMachineArn": "${Child}", "Name": "{% 'n-' & $string($round) %}", "Input": {}},
			"Retry": [{"ErrorEquals": ["States.ALL"]}], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Lost"}], "Next": "Both"
		},
		"Both": {"Type": "Parallel", "Branches": [{"StartAt": "Left", "States": {"Left": {"Type": "Pass", "Assign": {"inner": 1}, "End": true}}}], "Next": "Each"},
		"Each": {
			"Type": "Map", "Items": "{% $list %}", "ItemSelector": {"v": "{% $states.context.Map.Item.Value %}"}, "MaxConcurrency": 2,
			"ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "One", "States": {"One": {"Type": "Pass", "Output": "{% $round %}", "End": true}}},
			"Next": "Done"
		},
		"Done": {"Type": "Succeed", "Output": "x"},
		"Lost": {"Type": "Fail", "Error": "Lost", "Cause": "c"}
	}
}`

func TestLoadRefusesWhatItDoesNotKnow(t *testing.T) {
	if _, err := asl.Load("f.asl.json", []byte(valid), substitutions()); err != nil {
		t.Fatalf("the valid file is refused: %v", err)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"text that is no JSON", `"StartAt"`, `StartAt`, "f.asl.json: the JSON cannot be read"},
		{"a name that stands twice", `"a": "{% $states.input.a %}"`, `"a": 1, "a": 2`, "f.asl.json: the JSON cannot be read"},
		{"another query language", `"JSONata"`, `"JSONPath"`, `f.asl.json: QueryLanguage is "JSONPath"`},
		{"no query language", `"QueryLanguage": "JSONata",`, ``, `f.asl.json: QueryLanguage is ""`},
		{"an unknown field of the machine", `"TimeoutSeconds": 100`, `"Version": "1.0"`, `f.asl.json: the field "Version" is not known`},
		{"a timeout of the machine that is no number", `"TimeoutSeconds": 100`, `"TimeoutSeconds": "100"`, `f.asl.json: TimeoutSeconds is not a number`},
		{"a start that does not exist", `"StartAt": "Begin"`, `"StartAt": "Bgin"`, `f.asl.json: StartAt names the state "Bgin", which does not exist`},
		{"no states", `"Left": {"Type": "Pass", "Assign": {"inner": 1}, "End": true}`, ``, `f.asl.json: state Both: Branches[0]: States is empty`},
		{"a state name used twice", `"StartAt": "Left", "States": {"Left"`, `"StartAt": "Done", "States": {"Done"`, "state Done: the name is used twice"},
		{"a state name that is too long", `"States": {"Left"`, `"States": {"` + strings.Repeat("L", 81) + `"`, "the name must have 1 to 80 characters"},
		{"an unknown type", `"Type": "Succeed"`, `"Type": "Success"`, `f.asl.json: state Done: the Type "Success" is not known`},
		{"an unknown field of a state", `"Comment": "c"`, `"InputPath": "$"`, `f.asl.json: state Begin: the field "InputPath" is not known`},
		{"a field of another type of state", `"Type": "Succeed"`, `"Type": "Succeed", "Assign": {"x": 1}`, `state Done: the field "Assign" is not known`},
		{"a field of another case", `"Comment": "c"`, `"comment": "c"`, `state Begin: the field "comment" is not known`},
		{"an unknown resource", `states:::lambda:invoke`, `states:::dynamodb:putItem`, `f.asl.json: state Ask: the Resource "arn:aws:states:::dynamodb:putItem" is not known`},
		{"a function by its own ARN", `arn:aws:states:::lambda:invoke`, `arn:aws:lambda:::function:f`, `state Ask: the Resource`},
		{"a callback", `startExecution.sync:2`, `startExecution.waitForTaskToken`, `state Child: the Resource`},
		{"a computed function", `"${Fn}"`, `"{% $round %}"`, "state Ask: Arguments: FunctionName is an expression"},
		{"a task without payload", `, "Payload": {"x": "{% $round %}"}`, ``, "state Ask: Arguments: Payload is missing"},
		{"a child without a name", `"Name": "{% 'n-' & $string($round) %}", `, ``, "state Child: Arguments: Name is missing"},
		{"an unknown argument", `"Payload": {`, `"Qualifier": "1", "Payload": {`, `state Ask: Arguments: the field "Qualifier" is not known`},
		{"a task without a timeout", `"TimeoutSeconds": 70,`, ``, "state Ask: TimeoutSeconds is missing"},
		{"a task that ends before its function", `"TimeoutSeconds": 70,`, `"TimeoutSeconds": 10,`, "state Ask: TimeoutSeconds is not above 10"},
		{"a task without Retry", `"Retry": [{"ErrorEquals": ["States.ALL"]}],`, ``, "state Child: Retry is missing"},
		{"a task without Catch", `"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Lost"}], "Next": "Both"`, `"Next": "Both"`, "state Child: Catch is missing"},
		{"an empty Retry", `"Retry": [{"ErrorEquals": ["States.ALL"]}],`, `"Retry": [],`, "state Child: Retry is not a list with entries"},
		{"a heartbeat", `"TimeoutSeconds": 70,`, `"TimeoutSeconds": 70, "HeartbeatSeconds": 5,`, `state Ask: the field "HeartbeatSeconds" is not known`},
		{"an unknown jitter", `"FULL"`, `"HALF"`, `state Ask: Retry[0]: the JitterStrategy "HALF" is not known`},
		{"an interval of no seconds", `"IntervalSeconds": 2`, `"IntervalSeconds": 0`, "state Ask: Retry[0]: IntervalSeconds is not a number from 1"},
		{"a broken interval", `"IntervalSeconds": 2`, `"IntervalSeconds": 2.5`, "state Ask: Retry[0]: IntervalSeconds is not a whole number"},
		{"a shrinking backoff", `"BackoffRate": 2`, `"BackoffRate": 0.5`, "state Ask: Retry[0]: BackoffRate is not a number from 1"},
		{"a limit below the interval", `"MaxDelaySeconds": 60`, `"MaxDelaySeconds": 2`, "state Ask: Retry[0]: MaxDelaySeconds is not above IntervalSeconds"},
		{"an unknown field of a retrier", `"MaxAttempts": 6`, `"Attempts": 6`, `state Ask: Retry[0]: the field "Attempts" is not known`},
		{"States.ALL beside others", `["X", "Lambda.Unknown"]`, `["X", "States.ALL"]`, "state Ask: Retry[0]: States.ALL must stand alone and in the last entry"},
		{"States.ALL before others", `["Y"]`, `["States.ALL"]`, "state Ask: Catch[0]: States.ALL must stand alone and in the last entry"},
		{"an unknown name of Step Functions", `["Y"]`, `["States.Timedout"]`, `state Ask: Catch[0]: ErrorEquals holds "States.Timedout", which is not known`},
		{"an error that nothing catches", `["Y"]`, `["States.Runtime"]`, "state Ask: Catch[0]: ErrorEquals names States.Runtime"},
		{"a pattern", `["Y"]`, `["Lambda.*"]`, `state Ask: Catch[0]: ErrorEquals holds "Lambda.*"`},
		{"a name twice", `["Y"]`, `["Y", "Y"]`, "state Ask: Catch[0]: ErrorEquals holds Y twice"},
		{"no error names", `["Y"]`, `[]`, "state Ask: Catch[0]: ErrorEquals is not a list with entries"},
		{"a catcher without a target", `{"ErrorEquals": ["States.ALL"], "Next": "Lost"}],
			"Next": "Which"`, `{"ErrorEquals": ["States.ALL"]}], "Next": "Which"`, "state Ask: Catch[1]: Next is missing"},
		{"a catcher with a result path", `"Output": "o", "Next"`, `"ResultPath": "$", "Next"`, `state Ask: Catch[0]: the field "ResultPath" is not known`},
		{"a target that does not exist", `"Next": "Tell"`, `"Next": "Told"`, `state Ask: Catch names the state "Told", which does not exist`},
		{"a Next that does not exist", `"Next": "Ask"`, `"Next": "Task"`, `f.asl.json: state Begin: Next names the state "Task", which does not exist`},
		{"a Default that does not exist", `"Default": "Sleep"`, `"Default": "Nap"`, `state Which: Default names the state "Nap"`},
		{"a rule's target that does not exist", `"Next": "Both"}]`, `"Next": "None"}]`, `state Which: Choices names the state "None"`},
		{"a target in another scope", `"Next": "Each"`, `"Next": "Left"`, `state Both: Next names the state "Left"`},
		{"a state that nothing leads to", `"Next": "Ask"`, `"Next": "Which"`, "f.asl.json: state Ask: no other state leads to it"},
		{"neither Next nor End", `"Seconds": 5, "Next": "Child"`, `"Seconds": 5`, "state Sleep: either Next or End is needed"},
		{"both Next and End", `"Seconds": 5, "Next": "Child"`, `"Seconds": 5, "Next": "Child", "End": true`, "state Sleep: either Next or End is needed"},
		{"an End that is false", `"inner": 1}, "End": true`, `"inner": 1}, "End": false`, "state Left: End can only be true"},
		{"a Choice with Next", `"Default": "Sleep"`, `"Next": "Sleep"`, `state Which: the field "Next" is not known`},
		{"a rule without a condition", `"Condition": "{% $states.input = 1 %}", `, ``, "state Which: Choices[0]: Condition is missing"},
		{"a constant condition", `"{% $states.input = 1 %}"`, `true`, "state Which: Choices[0]: Condition is no expression"},
		{"a rule of the other language", `"Condition": "{% $states.input = 1 %}"`, `"Variable": "$.x", "NumericEquals": 1`, "state Which: Choices[0]: Condition is missing"},
		{"Output without Default", `"Default": "Sleep"`, `"Output": 1`, "state Which: Assign and Output belong to a Default"},
		{"two times to wait for", `"Seconds": 5`, `"Seconds": 5, "Timestamp": "2026-01-31T08:00:00Z"`, "state Sleep: either Seconds or Timestamp is needed"},
		{"nothing to wait for", `"Seconds": 5, `, ``, "state Sleep: either Seconds or Timestamp is needed"},
		{"seconds that are none", `"Seconds": 5`, `"Seconds": "5"`, "state Sleep: Seconds is not a whole number"},
		{"a time that is none", `"Seconds": 5`, `"Timestamp": "5"`, "state Sleep: Timestamp is not a time"},
		{"a Map without concurrency", `"MaxConcurrency": 2,`, ``, "state Each: MaxConcurrency is missing"},
		{"a Map with too much concurrency", `"MaxConcurrency": 2`, `"MaxConcurrency": 41`, "state Each: MaxConcurrency is not a number from 1 to 40"},
		{"a Map without items", `"Items": "{% $list %}", `, ``, "state Each: Items is missing"},
		{"a distributed Map", `"INLINE"`, `"DISTRIBUTED"`, `state Each: ItemProcessor: ProcessorConfig: the Mode "DISTRIBUTED" is not known`},
		{"an item reader", `"MaxConcurrency": 2`, `"MaxConcurrency": 2, "ItemReader": {}`, `state Each: the field "ItemReader" is not known`},
		{"an unknown substitution", `${Fn}`, `${Function}`, "f.asl.json: the substitution ${Function} is not known"},
		{"an open substitution", `${Fn}`, `${Fn`, "f.asl.json: the substitution ${Fn is not known"},
		{"a substitution that breaks the file", `${Fn}`, `${Quote}`, "f.asl.json: the substitution ${Quote} has a value that cannot stand in the file"},
		{"a variable with a wrong name", `"inner": 1`, `"in-ner": 1`, `state Left: Assign cannot set a variable named "in-ner"`},
		{"a variable named states", `"inner": 1`, `"states": 1`, `state Left: Assign cannot set a variable named "states"`},
		{"an Assign without variables", `{"inner": 1}`, `{}`, "state Left: Assign is not an object with variables"},
		{"a computed Assign", `{"inner": 1}`, `"{% {'inner': 1} %}"`, "state Left: Assign is not an object with variables"},
		{"a variable of the states around it", `"inner": 1`, `"round": 1`, "f.asl.json: state Left: Assign sets round, which belongs to the states around it"},
		{"a variable that nobody sets", `"Output": "{% $round %}"`, `"Output": "{% $raund %}"`, "f.asl.json: state One: Output uses the variable $raund, which is not set on every way there"},
		{"a variable of another branch", `"Output": "{% $round %}"`, `"Output": "{% $inner %}"`, "state One: Output uses the variable $inner"},
		{"a variable that only one way sets", `"Items": "{% $list %}"`, `"Items": "{% $n %}"`, "state Each: Items uses the variable $n, which is not set on every way there"},
		{"a variable that only a catcher sets", `"Output": "{% $round %}"`, `"Output": "{% $why %}"`, "state One: Output uses the variable $why"},
		{"a variable before it is set", `"a": "{% $states.input.a %}"`, `"a": "{% $round %}"`, "state Begin: Output.a uses the variable $round"},
		{"a function with the name of a variable", `"Output": "{% $round %}"`, `"Output": "{% $round(1) %}"`, "state One: a function $round is called, but the file has a variable of that name"},
		{"an expression that does not close", `"{% $round %}", "End"`, `"{% $round ", "End"`, "state One: Output is an expression that does not begin with {% and end with %}"},
		{"an expression inside a text", `"{% $round %}", "End"`, `"n-{% $round %}", "End"`, "state One: Output is an expression that does not begin with {% and end with %}"},
		{"an expression that is none", `"{% $round %}", "End"`, `"{% $round + %}", "End"`, "f.asl.json: state One: Output is no JSONata"},
		{"a text that is no text", `"Comment": "c"`, `"Comment": 1`, "state Begin: Comment is no text"},
		{"states that are no object", `{"Left": {"Type": "Pass", "Assign": {"inner": 1}, "End": true}}`, `[]`, "state Both: Branches[0]: States: the JSON cannot be read: it is no object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Count(valid, tt.old) == 0 {
				t.Fatalf("%s is not in the valid file", tt.old)
			}
			text := strings.Replace(valid, tt.old, tt.new, 1)
			_, err := asl.Load("f.asl.json", []byte(text), substitutions())
			if err == nil {
				t.Fatal("it is loaded")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "f.asl.json: ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %q, want %q", err, tt.want)
			}
		})
	}
}

func substitutions() map[string]string {
	return map[string]string{"Fn": "fn", "Child": "child", "Quote": `a"b`}
}

func TestLoadRefusesExpressionsInWhichTheLibraryDiffers(t *testing.T) {
	load := func(expression string) error {
		text := fromA(`"A":{"Type":"Pass","Assign":{"x":1,"y":[1]},"Next":"B"},"B":{"Type":"Pass","Output":"{% ` + expression + ` %}","End":true}`)
		_, err := asl.Load("f.asl.json", []byte(text), nil)
		return err
	}
	for _, allowed := range []string{
		`$states.input.a.b[0].c`, `$states.input[a = 1].b`, `$y[0]`, `$y[$ = 1][]`, `[$map($y, function($v, $i) { {'v': $v, 'i': $i} })]`,
		`[$filter($y, function($v) { $v = 1 })]`, `$count($y) > 0 and 1 <= $count([])`, `($a := $x; $a + 1)`, `$x = 1 ? 'a' : 'b'`,
		`$merge([$states.input, {'a': 1}])`, `[1..$x]`, `$exists($states.input.a)`, `-$x`, `$x * 2 - 1`, `$x != null`, `'a' in ['a']`,
		`$replace('a', /b/, 'c')`, `$reduce($y, function($a, $b) { $a + $b })`, `$states.context.Execution.Input.a[0]`, `$substring($states.input, 0, 10)`,
	} {
		if err := load(allowed); err != nil {
			t.Errorf("%s is refused: %v", allowed, err)
		}
	}
	for _, tt := range []struct{ expression, want string }{
		{`$y.{'a': $}`, `in a path`},
		{`$map($y, function($v) { $v })`, `$map outside of […]`},
		{`$count($filter($y, function($v) { true }))`, `$filter outside of […]`},
		{`$lookup($states.input, 'a')`, `$lookup, which is not among`},
		{`$not($x)`, `$not, which is not among`},
		{`$keys($x)`, `$keys, which is not among`},
		{`$each($x, function($v) { $v })`, `$each, which is not among`},
		{`$average($y)`, `$average, which is not among`},
		{`$eval('1')`, `$eval, which is not among`},
		{`$now()`, `$now, which is not among`},
		{`$uuid()`, `$uuid, which is not among`},
		{`$states.input.n > 1`, `may be missing`},
		{`1 < $x`, `may be missing`},
		{`$string({'a': 1})`, `the library writes it differently`},
		{`'a' & [1]`, `the library writes it differently`},
		{`$x ?? 1`, `is no JSONata`},
		{`$x ?: 1`, `is no JSONata`},
		{`$y#$j`, `$y#$j, which is not set`},
		{`$x / 2`, `divides`},
		{`$x % 2`, `divides`},
		{`0.1 + 0.2`, `fraction`},
		{`$y ~> $count()`, `is not allowed`},
		{`$y^($)`, `is not allowed`},
		{`$y{'a': 1}`, `is not allowed`},
		{`$states.input.*`, `in a path`},
		{`$states.input.**`, `in a path`},
		{`$states.input.a.$count($y)`, `as a step of a path`},
		{`$substring('abc', ?, 1)`, `is not allowed`},
		{`function($a) { $a }`, `is not allowed`},
		{`$substring('a')`, `with 1 arguments`},
		{`$exists()`, `with 0 arguments`},
		{`($f := function($a) { $a }; $f(1))`, `is not allowed`},
		{`{$x: 1}`, `name of a field`},
		{`a.b`, `bare name a`},
		{`$`, `no value here`},
		{`$$.a`, `no value here`},
		{`$states`, `as a whole`},
		{`$states.context`, `$states.context, which is not known`},
		{`$states.context.Task.Token`, `which is not known`},
		{`$states.context.Execution.Name.x`, `in a way that is not known`},
		{`$states.context[0].Execution.Input`, `in a way that is not known`},
		{`$states[0].input`, `$states[…]`},
		{`$states.result.a`, `$states.result, which has no value here`},
		{`$states.errorOutput.Error`, `$states.errorOutput.Error, which has no value here`},
		{`$states.context.Map.Item.Value`, `which has no value here`},
		{`$states.inputs`, `$states.inputs, which is not known`},
		{`($states := 1; 2)`, `another meaning`},
		{`/* c */ $x`, `holds /*`},
		{`'a.' & 'b' & $x`, `holds .'`},
		{`'a'.b`, `is no JSONata`},
	} {
		err := load(tt.expression)
		if err == nil {
			t.Errorf("%s is loaded", tt.expression)
			continue
		}
		if !strings.HasPrefix(err.Error(), "f.asl.json: state B: Output ") || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %q, want %q", tt.expression, err, tt.want)
		}
	}
}
