# Unit tests of actions.rego and the files beside it: `python -m policy test`.
package unsprawl.actions_test

import data.unsprawl.calls

good := {
	"question": "action",
	"agent": {
		"name": "ledger-poster",
		"stage": "live",
		"risk_tier": "low",
		"data_classes": ["internal"],
		"team": "finance",
		"owner": "per_1",
		"tools": ["erp.post-entry"],
	},
	"action": {
		"adapter": "http",
		"connection": "erp",
		"operation": "post-entry",
		"effect": "write",
		"is_reversible": true,
		"arguments": {"account": "4711"},
		"is_new": false,
	},
	"edited": false,
	"requested": {"weekday": "mon", "minute": 600},
	"counts": {"hour": 0, "day": 0, "open": 0},
}

changed(path, value) := changes({path: value})

changes(values) := json.patch(good, [{"op": "add", "path": path, "value": value} | some path, value in values])

answer_for(facts) := answer if {
	answer := calls.answer with input as facts
}

rule_for(facts) := answer_for(facts).rule

set_to(facts, path, value) := answer if {
	settings := json.patch(data.settings.actions, [{"op": "add", "path": path, "value": value}])
	answer := calls.answer with input as facts with data.settings.actions as settings
}

paying(arguments) := changes({
	"/action/effect": "money",
	"/action/arguments": arguments,
})

mailing(arguments) := changes({
	"/action/adapter": "smtp",
	"/action/effect": "message",
	"/action/arguments": arguments,
})

test_an_action_within_every_rule_is_allowed if {
	answer := answer_for(good)
	answer.allow
	not answer.ask
	answer.rule == "actions.allowed"
	answer.constraints == {
		"approvers": ["role:approver", "role:security"],
		"quorum": 1,
		"expires_seconds": 604800,
		"escalate_seconds": 86400,
		"escalate_to": ["role:security"],
		"checks": [],
		"receipt_level": "L0",
	}
}

test_every_stage_but_three_is_refused if {
	every stage in ["draft", "in_review", "retired", "LIVE", "unheard-of"] {
		rule_for(changed("/agent/stage", stage)) == "actions.stage"
	}
	answer_for(changed("/agent/stage", "deprecated")).allow
}

test_in_soft_launch_everything_is_asked if {
	every effect in ["read", "write"] {
		answer := answer_for(changes({"/agent/stage": "soft_launch", "/action/effect": effect}))
		answer.ask
		answer.rule == "actions.soft_launch"
	}
}

test_an_operation_the_agent_does_not_declare_is_refused if {
	every tools in [[], ["erp"], ["erp.post"], ["post-entry"], ["crm.*"]] {
		rule_for(changed("/agent/tools", tools)) == "actions.tool_undeclared"
	}
	every tools in [["erp.*"], ["*"], ["x", "erp.post*"]] {
		answer_for(changed("/agent/tools", tools)).allow
	}
}

test_the_first_use_of_an_operation_is_asked_about if {
	answer := answer_for(changed("/action/is_new", true))
	answer.ask
	answer.rule == "actions.new"
	answer_for(changes({"/action/is_new": true, "/action/effect": "read"})).allow
}

test_a_deprecated_agent_begins_nothing_new if {
	rule_for(changes({"/action/is_new": true, "/agent/stage": "deprecated"})) == "actions.stage_new"
}

test_an_effect_off_the_list_is_refused if {
	rule_for(changed("/action/effect", "launch")) == "actions.effect_refused"
	set_to(good, "/effects", ["read"]).rule == "actions.effect_refused"
}

test_a_connection_off_the_allow_list_is_refused if {
	set_to(good, "/connections/allowed", ["crm"]).rule == "actions.connection_refused"
	set_to(good, "/connections/allowed", []).rule == "actions.connection_refused"
	set_to(good, "/connections/refused", ["erp"]).rule == "actions.connection_refused"
	set_to(good, "/connections/allowed", ["erp"]).allow
}

test_a_connection_takes_only_the_data_classes_named_for_it if {
	rule_for(changed("/agent/data_classes", ["secret"])) == "actions.data_class_unknown"
	rule_for(changed("/agent/data_classes", [])) == "actions.data_class_unknown"
	set_to(good, "/connections/data_classes/erp", ["public"]).rule == "actions.data_class_connection"
	set_to(good, "/connections/data_classes/erp", ["internal"]).allow
	set_to(good, "/connections/data_classes/crm", ["public"]).allow
}

test_an_argument_may_be_refused_or_held_to_values if {
	set_to(good, "/arguments/refused", ["account"]).rule == "actions.arguments_refused"
	set_to(changed("/action/arguments", {"a": {"b": 1}}), "/arguments/refused", ["a.b"]).rule == "actions.arguments_refused"
	held := [{"operation": "erp.*", "argument": "account", "allowed": ["4711"]}]
	set_to(good, "/arguments/values", held).allow
	every arguments in [{"account": "4712"}, {"account": 4711}, {}] {
		set_to(changed("/action/arguments", arguments), "/arguments/values", held).rule == "actions.arguments_value"
	}
}

test_money_above_a_threshold_is_asked_about_and_above_the_next_by_two if {
	answer_for(paying({"amount": 500, "currency": "EUR"})).allow
	asked := answer_for(paying({"amount": 500.01, "currency": "EUR"}))
	asked.rule == "actions.amount"
	asked.constraints.quorum == 1
	twice := answer_for(paying({"amount": 10000.5, "currency": "EUR"}))
	twice.rule == "actions.amount"
	twice.constraints.quorum == 2
	rule_for(paying({"amount": 1000001, "currency": "EUR"})) == "actions.amount_refused"
}

test_every_unit_of_an_amount_is_compared_alike if {
	answer_for(paying({"amount_micros": 500000000, "currency": "EUR"})).allow
	rule_for(paying({"amount_micros": 500000001, "currency": "EUR"})) == "actions.amount"
	rule_for(paying({"total_cents": 50001, "currency": "EUR"})) == "actions.amount"
}

test_the_largest_of_several_amounts_counts_and_below_zero_as_above if {
	rule_for(paying({"amount": 1, "total": 501, "currency": "EUR"})) == "actions.amount"
	rule_for(paying({"amount": -501, "currency": "EUR"})) == "actions.amount"
	rule_for(paying({"amount": -1000001, "currency": "EUR"})) == "actions.amount_refused"
}

test_money_of_no_named_amount_is_decided_by_two if {
	every arguments in [{}, {"amount": null}, {"sum": 5, "currency": "EUR"}] {
		answer := answer_for(paying(arguments))
		answer.ask
		answer.rule == "actions.amount"
		answer.constraints.quorum == 2
	}
}

test_an_amount_that_is_no_number_is_refused if {
	every amount in ["1e3", "5", [5], {"value": 5}, true] {
		rule_for(paying({"amount": amount, "currency": "EUR"})) == "actions.amount_unreadable"
		rule_for(paying({"amount": amount, "total": 1, "currency": "EUR"})) == "actions.amount_unreadable"
	}
	every currency in [5, ["EUR"], {}] {
		rule_for(paying({"amount": 5, "currency": currency})) == "actions.amount_unreadable"
	}
}

test_a_currency_without_limits_is_always_asked_about if {
	rule_for(paying({"amount": 1, "currency": "JPY"})) == "actions.amount"
	rule_for(paying({"amount": 1, "currency": "eur"})) == "actions.amount"
	rule_for(paying({"amount": 1})) == "actions.amount"
	set_to(paying({"amount": 1}), "/money/usual_currency", "EUR").allow
}

test_an_amount_within_an_object_is_found_where_the_settings_say if {
	facts := paying({"invoice": {"sum": 900}, "currency": "EUR"})
	set_to(facts, "/money/amounts", {"invoice.sum": 1}).rule == "actions.amount"
	set_to(paying({"invoice": {"sum": 9}, "currency": "EUR"}), "/money/amounts", {"invoice.sum": 1}).allow
}

test_what_the_manifest_says_of_a_tool_binds if {
	answer_for(changed("/agent/declared", {"approval": "required"})).rule == "actions.declared"
	answer_for(changed("/agent/declared", {"approval": "policy"})).allow
	capped := {"/action/effect": "money", "/agent/declared": {"max_amount": 100, "currency": "EUR"}}
	answer_for(changes(object.union(capped, {"/action/arguments": {"amount": 100, "currency": "EUR"}}))).allow
	every arguments in [{"amount": 101, "currency": "EUR"}, {"amount": 5, "currency": "USD"}] {
		rule_for(changes(object.union(capped, {"/action/arguments": arguments}))) == "actions.amount_declared"
	}
	rule_for(changed("/agent/declared", {"max_amount": "100"})) == "actions.facts_incomplete"
}

test_outside_working_hours_is_asked_about if {
	every requested in [
		{"weekday": "sun", "minute": 600},
		{"weekday": "mon", "minute": 419},
		{"weekday": "mon", "minute": 1140},
	] {
		rule_for(changed("/requested", requested)) == "actions.hours"
	}
	answer_for(changed("/requested", {"weekday": "fri", "minute": 1139})).allow
	answer_for(changes({"/requested/minute": 0, "/action/effect": "read"})).allow
}

test_what_cannot_be_taken_back_is_asked_about if {
	rule_for(changed("/action/is_reversible", false)) == "actions.irreversible"
	rule_for(changed("/action/effect", "delete")) == "actions.delete"
}

test_regulated_data_is_put_to_security if {
	answer := answer_for(changed("/agent/data_classes", ["regulated"]))
	answer.rule == "actions.data_class"
	answer.constraints.approvers == ["role:security"]
	both := answer_for(changes({
		"/agent/data_classes": ["regulated"],
		"/action/effect": "money",
		"/action/arguments": {"amount": 20000, "currency": "EUR"},
	}))
	both.constraints.approvers == ["role:security"]
	both.constraints.quorum == 2
	contains(both.reason, "two people")
	contains(both.reason, "data of a class")
}

test_a_risk_tier_may_be_asked_about if {
	answer_for(changed("/agent/risk_tier", "high")).allow
	set_to(changed("/agent/risk_tier", "high"), "/ask/risk_tiers/tiers", ["high"]).rule == "actions.risk_tier"
}

inside := ["ann@acme.example", "Bo@ACME.example"]

test_mail_stays_within_the_domains_unasked if {
	set_to(mailing({"to": inside[0]}), "/recipients/domains", ["acme.example"]).allow
	set_to(mailing({"to": inside, "cc": inside[0]}), "/recipients/domains", ["acme.example"]).allow
	set_to(mailing({"to": "ann@eu.acme.example"}), "/recipients/domains", ["*.acme.example"]).allow
}

test_mail_to_anybody_else_is_asked_about_or_refused if {
	every to in [
		"eve@evil.example",
		"eve@evilacme.example",
		"eve@eu.acme.example",
		"eve@evil.example,ann@acme.example",
		"eve@evil.example ann@acme.example",
		"eve,ann@acme.example",
		"Eve <eve@acme.example>",
		"@acme.example",
		"acme.example",
		"",
		7,
		{"address": "ann@acme.example"},
		["ann@acme.example", "eve@evil.example"],
		["ann@acme.example", 7],
	] {
		answer := set_to(mailing({"to": to}), "/recipients/domains", ["acme.example"])
		answer.ask
		answer.rule == "actions.recipients"
		strict := object.union(data.settings.actions.recipients, {"outside": "refuse", "domains": ["acme.example"]})
		set_to(mailing({"to": to}), "/recipients", strict).rule == "actions.recipients_refused"
	}
	rule_for(mailing({"to": inside[0]})) == "actions.recipients"
}

test_mail_to_nobody_named_is_asked_about_unless_the_operation_fixes_it if {
	rule_for(mailing({"subject": "hello"})) == "actions.recipients"
	set_to(mailing({"subject": "hello"}), "/recipients/fixed", ["erp.post-entry"]).allow
	answer_for(changes({"/action/adapter": "slack", "/action/effect": "message"})).allow
}

test_unusually_much_is_asked_about_and_far_too_much_refused if {
	answer_for(changed("/counts/hour", 999)).allow
	rule_for(changed("/counts/hour", 1000)) == "actions.rate"
	rule_for(changed("/counts/open", 500)) == "actions.rate"
	rule_for(changed("/counts/day", 100000)) == "actions.rate_refused"
}

test_the_own_team_may_be_asked if {
	answer := set_to(good, "/reviews/usual/approvers", ["team", "role:approver"])
	answer.constraints.approvers == ["role:approver", "team:finance"]
	alone := set_to(changed("/agent/team", ""), "/reviews/rules", [{"rule": "actions.amount", "approvers": ["team"]}])
	alone.constraints.approvers == ["role:approver", "role:security"]
}

test_an_entry_of_reviews_without_anybody_leaves_the_usual_approvers if {
	rules := [{"rule": "actions.new", "approvers": ["team"]}]
	answer := set_to(changes({"/agent/team": "", "/action/is_new": true}), "/reviews/rules", rules)
	answer.constraints.approvers == ["role:approver", "role:security"]
}

test_checks_and_receipts_are_named_by_the_settings if {
	answer := set_to(good, "/checks", [
		{"operation": "erp.*", "checks": ["schema", "balance"]},
		{"operation": "erp.post-entry", "checks": ["schema"]},
		{"operation": "crm.*", "checks": ["other"]},
	])
	answer.constraints.checks == ["balance", "schema"]
	set_to(good, "/receipt_levels/write", "L2").constraints.receipt_level == "L2"
}

test_a_refusal_comes_before_a_question if {
	rule_for(changes({"/agent/stage": "soft_launch", "/agent/tools": []})) == "actions.tool_undeclared"
}

test_a_fact_that_is_missing_or_of_another_type_is_refused if {
	every path in [
		"/agent", "/agent/name", "/agent/stage", "/agent/risk_tier", "/agent/data_classes",
		"/agent/team", "/agent/owner", "/agent/tools", "/action", "/action/adapter",
		"/action/connection", "/action/operation", "/action/effect", "/action/is_reversible",
		"/action/arguments", "/action/is_new", "/edited", "/requested", "/requested/weekday",
		"/requested/minute", "/counts", "/counts/hour", "/counts/day", "/counts/open",
	] {
		rule_for(json.patch(good, [{"op": "remove", "path": path}])) == "actions.facts_incomplete"
		every value in [null, [7], -7] {
			rule_for(changed(path, value)) == "actions.facts_incomplete"
		}
	}
	rule_for({"question": "action"}) == "actions.facts_incomplete"
}

test_the_shipped_settings_are_sound if data.unsprawl.actions.settings_sound

test_a_setting_of_another_type_is_not_sound if {
	every path in [
		"/stages", "/effects", "/connections/allowed", "/connections/data_classes",
		"/arguments/values", "/money/amounts", "/money/amounts/amount", "/money/usual_currency",
		"/money/limits", "/money/limits/*", "/money/limits/EUR/ask_above",
		"/money/limits/EUR/refuse_above", "/hours/days", "/hours/from_minute",
		"/recipients/domains", "/recipients/outside", "/rate/ask/hour", "/rate/refuse/day",
		"/ask/new", "/ask/data_classes/classes", "/reviews/usual/approvers", "/reviews/rules",
		"/checks", "/receipt_levels/usual",
	] {
		every value in [true, [true]] {
			settings := json.patch(data.settings.actions, [{"op": "add", "path": path, "value": value}])
			not data.unsprawl.actions.settings_sound with data.settings.actions as settings
		}
	}
}
