# Unit tests of calls.rego: `python -m policy test`. They use `with`, which rules may not.
package unsprawl.calls_test

import data.unsprawl.calls

good := {
	"call": {"route": "classify-invoice", "operation": "chat.completions", "region": ""},
	"agent": {
		"name": "invoice-classifier",
		"stage": "live",
		"data_classes": ["internal"],
		"routes": ["classify-invoice"],
		"team": "finance",
	},
	"target": {
		"vendor": "acme",
		"model": "acme-1",
		"region": "eu",
		"dialect": "openai",
		"data_classes": ["public", "internal"],
	},
	"route": {"name": "classify-invoice", "constraints": {}},
}

changed(path, value) := json.patch(good, [{"op": "add", "path": path, "value": value}])

answer_for(facts) := answer if {
	answer := calls.answer with input as facts
}

rule_for(facts) := answer_for(facts).rule

test_a_call_within_every_rule_is_allowed if {
	answer := answer_for(good)
	answer.allow == true
	answer.ask == false
	answer.rule == "calls.allowed"
}

test_every_stage_but_three_is_refused if {
	every stage in ["soft_launch", "live", "deprecated"] {
		answer_for(changed("/agent/stage", stage)).allow
	}
	every stage in ["draft", "in_review", "retired", "LIVE", "unheard-of"] {
		rule_for(changed("/agent/stage", stage)) == "calls.stage"
	}
}

test_a_route_the_agent_does_not_declare_is_refused if {
	rule_for(changed("/agent/routes", ["another"])) == "calls.route_undeclared"
	rule_for(changed("/agent/routes", [])) == "calls.route_undeclared"
}

test_a_refused_vendor_is_refused if {
	settings := json.patch(data.settings, [{"op": "replace", "path": "/vendors/refused", "value": ["acme"]}])
	answer := calls.answer with input as good with data.settings as settings
	answer.rule == "calls.vendor_refused"
}

test_a_vendor_off_the_allow_list_is_refused if {
	every listed in [["globex"], []] {
		settings := json.patch(data.settings, [{"op": "replace", "path": "/vendors/allowed", "value": listed}])
		answer := calls.answer with input as good with data.settings as settings
		answer.rule == "calls.vendor_refused"
	}
}

test_a_vendor_on_the_allow_list_is_allowed if {
	settings := json.patch(data.settings, [{"op": "replace", "path": "/vendors/allowed", "value": ["acme"]}])
	answer := calls.answer with input as good with data.settings as settings
	answer.allow
}

test_data_beyond_what_the_vendor_may_receive_is_refused if {
	answer := answer_for(changed("/agent/data_classes", ["internal", "personal", "confidential"]))
	answer.rule == "calls.data_class_vendor"
	contains(answer.reason, "(confidential, personal)")
}

test_an_agent_without_a_known_data_class_is_refused if {
	rule_for(changed("/agent/data_classes", [])) == "calls.data_class_unknown"
	rule_for(changed("/agent/data_classes", ["secret"])) == "calls.data_class_unknown"
}

test_a_route_for_other_data_is_refused if {
	rule_for(changed("/route/constraints", {"data_classes": ["public"]})) == "calls.data_class_route"
	answer_for(changed("/route/constraints", {"data_classes": ["internal"]})).allow
}

test_a_route_for_other_vendors_is_refused if {
	rule_for(changed("/route/constraints", {"vendors": ["globex"]})) == "calls.vendor_off_route"
	answer_for(changed("/route/constraints", {"vendors": ["acme"]})).allow
}

test_a_target_outside_the_regions_is_refused if {
	rule_for(changed("/route/constraints", {"regions": ["us"]})) == "calls.region"
	answer_for(changed("/route/constraints", {"regions": ["us", "eu"]})).allow
}

test_a_target_in_no_known_region_is_outside_every_region if {
	facts := json.patch(changed("/target/region", ""), [{"op": "add", "path": "/route/constraints", "value": {"regions": ["eu"]}}])
	rule_for(facts) == "calls.region"
}

test_a_target_outside_the_region_asked_for_is_refused if {
	rule_for(changed("/call/region", "us")) == "calls.region"
	answer_for(changed("/call/region", "eu")).allow
}

test_a_constraint_nobody_knows_closes_the_route if {
	rule_for(changed("/route/constraints", {"regoins": ["eu"]})) == "calls.constraint_unknown"
	rule_for(changed("/route/constraints", {"max_cost_micros": "ten"})) == "calls.constraint_unknown"
	rule_for(changed("/route/constraints", {"max_cost_micros": -1})) == "calls.constraint_unknown"
	rule_for(changed("/route/constraints", {"receipt_level": "L9"})) == "calls.constraint_unknown"
}

regulated := json.patch(good, [
	{"op": "add", "path": "/agent/data_classes", "value": ["internal", "regulated"]},
	{"op": "add", "path": "/target/data_classes", "value": ["internal", "regulated"]},
])

test_regulated_data_is_asked_about if {
	answer := answer_for(regulated)
	answer.allow == false
	answer.ask == true
	answer.rule == "calls.data_class_approval"
}

test_a_grant_answers_the_question_for_its_agent_vendor_and_class_only if {
	grant := {"agent": "invoice-classifier", "vendor": "acme", "data_class": "regulated"}
	granted := json.patch(data.settings, [{"op": "add", "path": "/grants", "value": [grant]}])
	answer := calls.answer with input as regulated with data.settings as granted
	answer.allow
	every other in [{"agent": "x"}, {"vendor": "x"}, {"data_class": "personal"}] {
		elsewhere := json.patch(data.settings, [{"op": "add", "path": "/grants", "value": [object.union(grant, other)]}])
		asked := calls.answer with input as regulated with data.settings as elsewhere
		asked.ask
	}
}

test_what_people_granted_answers_the_question_for_its_class_only if {
	answer_for(object.union(regulated, {"grants": ["regulated"]})).allow
	every others in [[], ["personal"], "regulated", [7], {"regulated": true}] {
		answer_for(object.union(regulated, {"grants": others})).ask
	}
}

test_a_refusal_comes_before_a_question if {
	rule_for(json.patch(regulated, [{"op": "add", "path": "/agent/stage", "value": "draft"}])) == "calls.stage"
}

test_a_fact_that_is_missing_or_of_another_type_is_refused if {
	every path in [
		"/call", "/call/operation", "/call/region", "/agent", "/agent/name", "/agent/stage", "/agent/routes",
		"/agent/data_classes", "/target", "/target/vendor", "/target/model", "/target/region",
		"/target/data_classes", "/route", "/route/name", "/route/constraints",
	] {
		rule_for(json.patch(good, [{"op": "remove", "path": path}])) == "calls.facts_incomplete"
		every value in [null, 7, true] {
			rule_for(changed(path, value)) == "calls.facts_incomplete"
		}
	}
	rule_for({}) == "calls.facts_incomplete"
}

test_text_in_place_of_a_list_is_refused if {
	rule_for(changed("/agent/data_classes", "internal")) == "calls.facts_incomplete"
	rule_for(changed("/target/data_classes", "internal")) == "calls.facts_incomplete"
	rule_for(changed("/route/constraints", {"vendors": "acme"})) == "calls.facts_incomplete"
	rule_for(changed("/agent/routes", [["classify-invoice"]])) == "calls.facts_incomplete"
}

test_facts_about_another_route_are_refused if {
	rule_for(changed("/call/route", "another")) == "calls.facts_incomplete"
}

delegated := {"acting_for": "planner", "via": ["planner"], "data_classes": ["internal"], "max_cost_micros": null}

test_a_delegation_with_a_class_of_data_left_is_allowed if {
	answer_for(changed("/delegation", delegated)).allow
}

test_a_delegation_with_nothing_left_is_refused if {
	every emptied in [{"data_classes": []}, {"via": []}, {"acting_for": 7}, {"data_classes": null}] {
		rule_for(changed("/delegation", object.union(delegated, emptied))) == "calls.delegation_empty"
	}
	rule_for(changed("/delegation", {})) == "calls.delegation_empty"
	rule_for(changed("/delegation", "planner")) == "calls.delegation_empty"
}

test_constraints_of_the_route_bind_the_call if {
	answer := answer_for(changed("/route/constraints", {"regions": ["eu"], "vendors": ["acme"], "max_cost_micros": 5, "receipt_level": "L2"}))
	answer.constraints == {"allowed_vendors": ["acme"], "regions": ["eu"], "max_cost_micros": 5, "receipt_level": "L2"}
}
