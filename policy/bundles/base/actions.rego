# May this agent have this done? Asked of every action it proposes, by way of `calls.answer`.
#
# Nothing is allowed, or even asked about, unless each check in `proven` holds. The first refusal
# in the order of `refusal` is the answer; without one, every question that applies is put to
# people at once, under the name of the first in `order`.
package unsprawl.actions

settings := data.settings.actions

answer := {
	"allow": false,
	"ask": false,
	"rule": refusal.rule,
	"reason": substring(refusal.reason, 0, 1900),
	"constraints": {},
} if {
	refusal
} else := {
	"allow": false,
	"ask": true,
	"rule": asked[0],
	"reason": substring(question, 0, 1900),
	"constraints": constraints,
} if {
	proven
	count(asked) > 0
} else := {
	"allow": true,
	"ask": false,
	"rule": "actions.allowed",
	"reason": "Every check of the policy on actions holds.",
	"constraints": constraints,
} if {
	proven
	count(asked) == 0
}

proven if {
	facts_complete
	stage_acts
	tool_declared
	kind_not_new_at_the_end
	effect_permitted
	connection_permitted
	classes_known
	classes_at_connection
	arguments_permitted
	values_permitted
	amount_readable
	amount_as_declared
	amount_permitted
	recipients_permitted
	rate_permitted
}

# --- what is refused, in this order

refusal := {
	"rule": "actions.facts_incomplete",
	"reason": "The action was described incompletely, so it was refused. This is a fault of the service: tell the platform team.",
} if {
	not facts_complete
} else := {
	"rule": "actions.stage",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" is in stage ",
		input.agent.stage,
		", and only approved agents may act. Its page says what it waits for.",
	]),
} if {
	not stage_acts
} else := {
	"rule": "actions.tool_undeclared",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" does not declare the tool ",
		target,
		". Add it to spec.tools of its manifest and propose that as a new version.",
	]),
} if {
	not tool_declared
} else := {
	"rule": "actions.stage_new",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" is in stage ",
		input.agent.stage,
		" and was never approved to use ",
		target,
		": it may finish what it does, and begin nothing new.",
	]),
} if {
	not kind_not_new_at_the_end
} else := {
	"rule": "actions.effect_refused",
	"reason": concat("", [
		"The policy permits no agent an operation whose effect is ",
		input.action.effect,
		", as that of ",
		target,
		" is. Ask the security team.",
	]),
} if {
	not effect_permitted
} else := {
	"rule": "actions.connection_refused",
	"reason": concat("", [
		"Connection ",
		input.action.connection,
		" is not on the allow-list of the policy. Ask the security team.",
	]),
} if {
	not connection_permitted
} else := {
	"rule": "actions.data_class_unknown",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" declares a data class that the policy does not know. Correct spec.dataClasses of its manifest.",
	]),
} if {
	not classes_known
} else := {
	"rule": "actions.data_class_connection",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" handles data that may not reach connection ",
		input.action.connection,
		" (",
		concat(", ", sort(classes_beyond)),
		"). Ask the security team.",
	]),
} if {
	not classes_at_connection
} else := {
	"rule": "actions.arguments_refused",
	"reason": concat("", [
		"The policy lets no agent send the argument ",
		concat(", ", sort(arguments_refused)),
		" to ",
		target,
		". Leave it out, or ask the security team.",
	]),
} if {
	not arguments_permitted
} else := {
	"rule": "actions.arguments_value",
	"reason": concat("", [
		"The policy permits ",
		target,
		" only certain values of ",
		concat(", ", sort(arguments_amiss)),
		". Send one of them, or ask the security team.",
	]),
} if {
	not values_permitted
} else := {
	"rule": "actions.amount_unreadable",
	"reason": concat("", [
		"The amount or the currency of ",
		target,
		" is not one the policy can read. Send the amount as a number and the currency as text.",
	]),
} if {
	not amount_readable
} else := {
	"rule": "actions.amount_declared",
	"reason": concat("", [
		"The amount is above what agent ",
		input.agent.name,
		" declares as maxAmount of the tool ",
		target,
		", or in another currency. Send less, or propose a new version of the manifest.",
	]),
} if {
	not amount_as_declared
} else := {
	"rule": "actions.amount_refused",
	"reason": concat("", [
		"The amount of ",
		target,
		" is above what the policy permits any agent. Let a person do it, or ask the security team.",
	]),
} if {
	not amount_permitted
} else := {
	"rule": "actions.recipients_refused",
	"reason": concat("", [
		"A recipient of ",
		target,
		" is outside the mail domains that the policy permits. Ask the security team.",
	]),
} if {
	not recipients_permitted
} else := {
	"rule": "actions.rate_refused",
	"reason": concat("", [
		"Agent ",
		input.agent.name,
		" has proposed more than the policy permits in an hour or a day, or has too many actions waiting. Wait, or ask the security team.",
	]),
} if {
	not rate_permitted
}

# --- what people are asked about: all that applies, named by the first

order := [
	"actions.soft_launch",
	"actions.new",
	"actions.declared",
	"actions.amount",
	"actions.amount_second",
	"actions.hours",
	"actions.irreversible",
	"actions.delete",
	"actions.data_class",
	"actions.risk_tier",
	"actions.recipients",
	"actions.rate",
]

sentences := {
	"actions.soft_launch": "The agent is in soft launch, where a person decides on each of its actions.",
	"actions.new": "The agent has not been approved to do this before.",
	"actions.declared": "The agent's manifest says that a person approves every use of this tool.",
	"actions.amount": "The amount is above what an agent may move unasked, or is not named.",
	"actions.amount_second": "The amount is one that two people decide on.",
	"actions.hours": "It is outside working hours.",
	"actions.irreversible": "It cannot be taken back.",
	"actions.delete": "It deletes something.",
	"actions.data_class": "The agent handles data of a class that people are asked about.",
	"actions.risk_tier": "The agent is of a risk tier that people are asked about.",
	"actions.recipients": "A recipient is outside the mail domains of the policy, or is not named.",
	"actions.rate": "The agent has proposed unusually much.",
}

asked := [name | some name in order; name in questions]

question := concat("", [
	"Agent ",
	input.agent.name,
	" may do ",
	target,
	" only with an approval. ",
	concat(" ", [sentence | some name in asked; sentence := sentences[name]]),
])

questions contains "actions.soft_launch" if input.agent.stage in settings.ask.stages

questions contains "actions.new" if {
	input.action.is_new
	input.action.effect in settings.ask.new
}

questions contains "actions.declared" if declared.approval == "required"

questions contains "actions.amount" if {
	moves_money
	above(limit.ask_above)
}

questions contains "actions.amount_second" if {
	moves_money
	above(limit.second_above)
}

# Money of an amount that nobody named is treated as much money.
questions contains name if {
	moves_money
	count(amounts) == 0
	some name in ["actions.amount", "actions.amount_second"]
}

questions contains "actions.hours" if {
	input.action.effect in settings.hours.effects
	not in_working_hours
}

questions contains "actions.irreversible" if {
	not input.action.is_reversible
	input.action.effect in settings.ask.irreversible
}

questions contains "actions.delete" if input.action.effect in settings.ask.delete

questions contains "actions.data_class" if {
	input.action.effect in settings.ask.data_classes.effects
	some class in input.agent.data_classes
	class in settings.ask.data_classes.classes
}

questions contains "actions.risk_tier" if {
	input.action.effect in settings.ask.risk_tiers.effects
	input.agent.risk_tier in settings.ask.risk_tiers.tiers
}

questions contains "actions.recipients" if recipients_outside

questions contains "actions.rate" if beyond_rate(settings.rate.ask)
