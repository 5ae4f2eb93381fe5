# Unit tests of tools.rego: `python -m policy test`.
package unsprawl.tools_test

import data.unsprawl.calls
import data.unsprawl.tools

good := {
	"question": "tools",
	"agent": {"name": "invoice-classifier", "stage": "live"},
	"route": {"name": "classify-invoice", "tools": ""},
	"tools": {
		"declares": true,
		"declared": {"read": ["search"], "write": ["mcp__erp__post"]},
		"undeclared": [],
		"undelegated": [],
	},
}

changed(path, value) := json.patch(good, [{"op": "add", "path": path, "value": value}])

answer_for(facts) := answer if {
	answer := calls.answer with input as facts
}

rule_for(facts) := answer_for(facts).rule

with_settings(facts, name, value) := answer if {
	settings := json.patch(data.settings.tools, [{"op": "add", "path": name, "value": value}])
	answer := tools.answer with input as facts with data.settings.tools as settings
}

stray := changed("/tools/undeclared", ["Bash"])

observed := json.patch(stray, [
	{"op": "add", "path": "/tools/declares", "value": false},
	{"op": "add", "path": "/tools/declared", "value": {}},
])

test_declared_tools_are_allowed if {
	answer := answer_for(good)
	answer.allow
	answer.rule == "tools.allowed"
	answer.constraints == {"mode": "block", "strip": []}
}

test_an_undeclared_tool_is_refused_by_name_once_an_agent_declares_any if {
	answer := answer_for(stray)
	answer.rule == "tools.undeclared"
	not answer.allow
	contains(answer.reason, "Bash")
	contains(answer.reason, "spec.tools")
}

test_an_agent_that_declares_none_is_observed if {
	answer_for(observed).constraints == {"mode": "allow", "strip": []}
}

test_a_route_says_how_strict_it_is if {
	answer_for(json.patch(stray, [{"op": "add", "path": "/route/tools", "value": "allow"}])).constraints == {"mode": "allow", "strip": []}
	answer_for(json.patch(stray, [{"op": "add", "path": "/route/tools", "value": "strip"}])).constraints == {"mode": "strip", "strip": ["Bash"]}
	rule_for(json.patch(observed, [{"op": "add", "path": "/route/tools", "value": "block"}])) == "tools.undeclared"
	rule_for(changed("/route/tools", "maybe")) == "tools.mode_unknown"
}

test_a_stage_says_how_strict_it_is_where_the_route_does_not if {
	with_settings(observed, "/stages", {"live": "block"}).rule == "tools.undeclared"
	with_settings(observed, "/stages", {"soft_launch": "block"}).allow
	with_settings(json.patch(observed, [{"op": "add", "path": "/route/tools", "value": "allow"}]), "/stages", {"live": "block"}).allow
}

test_what_security_refuses_is_refused_whatever_is_declared if {
	with_settings(good, "/refused", ["search"]).rule == "tools.refused"
	with_settings(good, "/refused", ["mcp__erp__*"]).rule == "tools.refused"
	with_settings(good, "/refused", ["mcp__hr__*", "sea"]).allow
	with_settings(good, "/refused_effects", ["write"]).rule == "tools.refused"
	with_settings(good, "/refused_effects", ["money"]).allow
}

test_what_is_refused_is_taken_out_where_a_route_strips if {
	facts := changed("/route/tools", "strip")
	with_settings(facts, "/refused_effects", ["write"]).constraints == {"mode": "strip", "strip": ["mcp__erp__post"]}
}

test_what_was_not_delegated_is_refused_even_where_everything_is_allowed if {
	facts := json.patch(good, [
		{"op": "add", "path": "/tools/undelegated", "value": ["search"]},
		{"op": "add", "path": "/route/tools", "value": "allow"},
	])
	rule_for(facts) == "tools.undelegated"
	answer_for(json.patch(facts, [{"op": "add", "path": "/route/tools", "value": "strip"}])).constraints.strip == ["search"]
}

test_a_fact_that_is_missing_or_of_another_type_is_refused if {
	every path in [
		"/agent", "/agent/name", "/agent/stage", "/route", "/route/tools", "/tools",
		"/tools/declares", "/tools/declared", "/tools/undeclared", "/tools/undelegated",
	] {
		rule_for(json.patch(good, [{"op": "remove", "path": path}])) == "tools.facts_incomplete"
		every value in [null, 7] {
			rule_for(changed(path, value)) == "tools.facts_incomplete"
		}
	}
	rule_for(changed("/tools/declared", {"read": "search"})) == "tools.facts_incomplete"
	rule_for({"question": "tools"}) == "tools.facts_incomplete"
}

test_a_reason_stays_short_however_much_is_offered if {
	long := "a_name_as_long_as_vendors_take_them_0123456789_0123456789_012345"
	names := [name | some i in [1, 2, 3, 4, 5, 6]; some j in [1, 2, 3, 4, 5, 6]; name := concat("", [long, ["a", "b", "c", "d", "e", "f", "g"][i], ["a", "b", "c", "d", "e", "f", "g"][j]])]
	answer := answer_for(changed("/tools/undeclared", names))
	answer.rule == "tools.undeclared"
	count(answer.reason) < 1500
}

test_settings_that_are_missing_close_the_question if {
	answer := tools.answer with input as good with data.settings.tools as {}
	not answer.allow
}
