# May this agent make this call to this target? Every attempt is asked about, fallbacks too.
#
# Nothing is allowed unless each check below is proven; a fact that is missing proves nothing.
# The first refusal in the order of `refusal` is the answer, so an answer never depends on
# the order in which an engine evaluates. Rule names are stable: agents and dashboards read them.
package unsprawl.calls

settings := data.settings

answer := data.unsprawl.tools.answer if {
	input.question == "tools"
} else := data.unsprawl.actions.answer if {
	input.question == "action"
} else := {
	"allow": false,
	"ask": false,
	"rule": refusal.rule,
	"reason": refusal.reason,
	"constraints": {},
} if {
	refusal
} else := {
	"allow": false,
	"ask": true,
	"rule": question.rule,
	"reason": question.reason,
	"constraints": constraints,
} if {
	question
} else := {
	"allow": true,
	"ask": false,
	"rule": "calls.allowed",
	"reason": "Every check of the policy holds.",
	"constraints": constraints,
} if {
	facts_complete
	stage_callable
	route_declared
	vendor_known
	constraints_known
	vendor_on_route
	classes_known
	classes_at_vendor
	classes_on_route
	region_kept
	delegation_whole
}

# --- what is refused, in this order

refusal := {
	"rule": "calls.facts_incomplete",
	"reason": "The call was described incompletely, so it was refused. This is a fault of the service: tell the platform team.",
} if {
	not facts_complete
} else := {
	"rule": "calls.stage",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" is in stage ",
		input.agent.stage,
		", and only approved agents may call models. Its page says what it waits for.",
	]),
} if {
	not stage_callable
} else := {
	"rule": "calls.route_undeclared",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" does not declare the route ",
		input.route.name,
		". Add it to spec.models of its manifest and propose that as a new version.",
	]),
} if {
	not route_declared
} else := {
	"rule": "calls.vendor_refused",
	"reason": concat("", [
		"Vendor ",
		input.target.vendor,
		" is not on the allow-list of the policy. Ask the security team, or use a route that another vendor serves.",
	]),
} if {
	not vendor_known
} else := {
	"rule": "calls.constraint_unknown",
	"reason": concat("", [
		"Route ",
		input.route.name,
		" carries a constraint that the policy cannot read, so nothing may use it. Ask the platform team to correct the route.",
	]),
} if {
	not constraints_known
} else := {
	"rule": "calls.vendor_off_route",
	"reason": concat("", [
		"Route ",
		input.route.name,
		" does not permit vendor ",
		input.target.vendor,
		". Ask the platform team to add a target that its constraints permit.",
	]),
} if {
	not vendor_on_route
} else := {
	"rule": "calls.data_class_unknown",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" declares a data class that the policy does not know. Correct spec.dataClasses of its manifest.",
	]),
} if {
	not classes_known
} else := {
	"rule": "calls.data_class_vendor",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" handles data that vendor ",
		input.target.vendor,
		" may not receive (",
		concat(", ", sort(classes_beyond_vendor)),
		"). Use a route to a vendor approved for it, or ask the security team.",
	]),
} if {
	not classes_at_vendor
} else := {
	"rule": "calls.data_class_route",
	"reason": concat("", [
		"Route ",
		input.route.name,
		" is not for data of class ",
		concat(", ", sort(classes_beyond_route)),
		". Use a route that is, or ask the platform team to widen this one.",
	]),
} if {
	not classes_on_route
} else := {
	"rule": "calls.region",
	"reason": concat("", [
		"Vendor ",
		input.target.vendor,
		" would serve this call outside the regions it must stay in. Use a route with a target in one of them.",
	]),
} if {
	not region_kept
} else := {
	"rule": "calls.delegation_empty",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" acts for another, and no class of data is left that every agent on the way may handle. Ask for a delegation with one that all of them declare.",
	]),
} if {
	not delegation_whole
}

# --- what people are asked about

question := {
	"rule": "calls.data_class_approval",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" sends data of class ",
		concat(", ", sort(classes_to_ask)),
		" to vendor ",
		input.target.vendor,
		", which needs an approval it does not have. Ask the security team for a grant.",
	]),
} if {
	count(classes_to_ask) > 0
}

classes_to_ask contains class if {
	some class in agent_classes
	class in settings.ask.data_classes
	not granted(class)
}

granted(class) if {
	some grant in settings.grants
	grant.agent == input.agent.name
	grant.vendor == input.target.vendor
	grant.data_class == class
}

# What people granted on the Policy page comes as a fact: classes, for this agent and vendor, now.
granted(class) if class in grants_given

default grants_given := []

grants_given := input.grants if is_text_list(input.grants)

# --- what must be proven

facts_complete if {
	every text in [
		input.agent.name,
		input.agent.stage,
		input.route.name,
		input.call.operation,
		input.target.vendor,
		input.target.model,
	] {
		is_string(text)
		text != ""
	}
	every text in [input.call.region, input.target.region] {
		is_string(text)
	}
	input.call.route == input.route.name
	is_object(input.route.constraints)
	lists_of_text
}

lists_of_text if {
	every list in [input.agent.routes, input.agent.data_classes, input.target.data_classes] {
		is_text_list(list)
	}
	every name in ["data_classes", "vendors", "regions"] {
		is_text_list(object.get(route_constraints, name, []))
	}
}

# No constraints rather than a fault of the engine; `facts_complete` refuses such a fact.
default route_constraints := {}

route_constraints := input.route.constraints if is_object(input.route.constraints)

is_text_list(list) if {
	is_array(list)
	every item in list {
		is_string(item)
	}
}

stage_callable if input.agent.stage in settings.stages

route_declared if input.route.name in input.agent.routes

vendor_known if {
	not input.target.vendor in settings.vendors.refused
	some allowed in settings.vendors.allowed
	allowed in ["*", input.target.vendor]
}

constraints_known if {
	every name, _ in route_constraints {
		name in settings.constraints.known
	}
	cost_cap_sound
	constraints.receipt_level in settings.constraints.receipt_levels
}

cost_cap_sound if constraints.max_cost_micros == null

cost_cap_sound if {
	is_number(constraints.max_cost_micros)
	constraints.max_cost_micros >= 0
}

vendor_on_route if unconstrained("vendors")

vendor_on_route if input.target.vendor in route_constraints.vendors

# No classes rather than a fault of the engine when the fact is of another type.
default agent_classes := []

agent_classes := input.agent.data_classes if is_text_list(input.agent.data_classes)

classes_known if {
	count(agent_classes) > 0
	every class in agent_classes {
		class in settings.data_classes
	}
}

classes_at_vendor if count(classes_beyond_vendor) == 0

classes_beyond_vendor contains class if {
	some class in agent_classes
	not class in input.target.data_classes
}

classes_on_route if unconstrained("data_classes")

classes_on_route if {
	route_constraints.data_classes
	count(classes_beyond_route) == 0
}

classes_beyond_route contains class if {
	some class in agent_classes
	not class in route_constraints.data_classes
}

# An agent that acts for nobody but itself needs no delegation.
delegation_whole if not input.delegation

delegation_whole if {
	is_string(input.delegation.acting_for)
	is_text_list(input.delegation.via)
	is_text_list(input.delegation.data_classes)
	count(input.delegation.via) > 0
	count(input.delegation.data_classes) > 0
}

region_kept if {
	region_on_route
	region_as_asked
}

region_on_route if unconstrained("regions")

region_on_route if input.target.region in route_constraints.regions

region_as_asked if input.call.region in ["", input.target.region]

# A constraint that is absent or empty binds nothing; every other value does.
unconstrained(name) if object.get(route_constraints, name, []) == []

# --- what an allowed call stays within

constraints := {
	"allowed_vendors": object.get(binding, "vendors", settings.vendors.allowed),
	"regions": object.get(binding, "regions", []),
	"max_cost_micros": object.get(binding, "max_cost_micros", settings.constraints.max_cost_micros),
	"receipt_level": object.get(binding, "receipt_level", settings.constraints.receipt_level),
}

default binding := {}

binding := route_constraints if facts_complete
