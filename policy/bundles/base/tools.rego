# May this agent offer these tools to a model? Asked once for a call, by way of `calls.answer`.
#
# What is compared with the manifest is compared before: a rule is told names and effects.
# `allow` passes what is not declared and puts it on record, `strip` takes it out of the call,
# `block` refuses the call. What security refuses and what a delegation leaves out is never
# passed, whatever the mode.
package unsprawl.tools

settings := data.settings.tools

answer := {
	"allow": false,
	"ask": false,
	"rule": refusal.rule,
	"reason": refusal.reason,
	"constraints": {},
} if {
	refusal
} else := {
	"allow": true,
	"ask": false,
	"rule": "tools.allowed",
	"reason": "Every check of the policy on tools holds.",
	"constraints": {"mode": mode, "strip": sort(beyond)},
} if {
	facts_complete
	mode_known
	nothing_refused
	nothing_undelegated
	nothing_undeclared
}

# --- what is refused, in this order

refusal := {
	"rule": "tools.facts_incomplete",
	"reason": "The tools of the call were described incompletely, so it was refused. This is a fault of the service: tell the platform team.",
} if {
	not facts_complete
} else := {
	"rule": "tools.mode_unknown",
	"reason": "What is to become of tools that are not declared is set to a word the policy does not know. Ask the platform team to correct the route or the policy.",
} if {
	not mode_known
} else := {
	"rule": "tools.refused",
	"reason": concat("", [
		"The policy lets no agent of this kind use ",
		substring(concat(", ", sort(refused)), 0, 1000),
		". Leave it out, or ask the security team.",
	]),
} if {
	not nothing_refused
} else := {
	"rule": "tools.undelegated",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" was delegated no use of ",
		substring(concat(", ", sort(input.tools.undelegated)), 0, 1000),
		". Leave it out, or ask for a delegation that names it.",
	]),
} if {
	not nothing_undelegated
} else := {
	"rule": "tools.undeclared",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" does not declare the tool ",
		substring(concat(", ", sort(input.tools.undeclared)), 0, 1000),
		". Add it to spec.tools of its manifest and propose that as a new version, or leave it out of the call.",
	]),
} if {
	not nothing_undeclared
}

# --- how strict

default route_mode := ""

route_mode := input.route.tools if is_string(input.route.tools)

default stage_mode := ""

stage_mode := settings.stages[input.agent.stage]

usual_mode := settings.undeclared.some_declared if input.tools.declares

usual_mode := settings.undeclared.none_declared if not input.tools.declares

mode := route_mode if {
	route_mode != ""
} else := stage_mode if {
	stage_mode != ""
} else := usual_mode

mode_known if mode in ["allow", "strip", "block"]

# --- what is beyond the call's rights

# Patterns come first: most policies refuse nothing, and then no name is looked at.
refused contains name if {
	some pattern in settings.refused
	some list in declared
	some name in list
	is_like(name, pattern)
}

refused contains name if {
	some pattern in settings.refused
	some name in undeclared
	is_like(name, pattern)
}

refused contains name if {
	some effect in settings.refused_effects
	some name in object.get(declared, effect, [])
}

default declared := {}

declared := input.tools.declared if is_object(input.tools.declared)

default undeclared := []

undeclared := input.tools.undeclared if is_array(input.tools.undeclared)

is_like(name, pattern) if name == pattern

is_like(name, pattern) if {
	endswith(pattern, "*")
	startswith(name, trim_suffix(pattern, "*"))
}

beyond contains name if {
	mode == "strip"
	some name in refused
}

beyond contains name if {
	mode == "strip"
	some name in input.tools.undelegated
}

beyond contains name if {
	mode == "strip"
	some name in input.tools.undeclared
}

nothing_refused if mode == "strip"

nothing_refused if count(refused) == 0

nothing_undelegated if mode == "strip"

nothing_undelegated if count(input.tools.undelegated) == 0

nothing_undeclared if mode in ["allow", "strip"]

nothing_undeclared if count(input.tools.undeclared) == 0

# --- what must be proven

facts_complete if {
	every text in [input.agent.name, input.agent.stage] {
		is_string(text)
		text != ""
	}
	is_string(input.route.tools)
	is_boolean(input.tools.declares)
	is_object(input.tools.declared)
	# Not each name: `concat` and `sort` are undefined on anything but text, which is no answer.
	is_array(input.tools.undeclared)
	is_array(input.tools.undelegated)
	every list in input.tools.declared {
		is_array(list)
	}
	is_text_list(settings.refused)
	is_text_list(settings.refused_effects)
}

is_text_list(list) if {
	is_array(list)
	every item in list {
		is_string(item)
	}
}
