# What must be proven of an action before it is allowed or asked about.
package unsprawl.actions

target := concat(".", [input.action.connection, input.action.operation])

is_like(name, pattern) if name == pattern

is_like(name, pattern) if {
	endswith(pattern, "*")
	startswith(name, trim_suffix(pattern, "*"))
}

is_text_list(list) if {
	is_array(list)
	every item in list {
		is_string(item)
	}
}

# --- the facts

facts_complete if {
	every text in [
		input.agent.name,
		input.agent.stage,
		input.action.adapter,
		input.action.connection,
		input.action.operation,
		input.action.effect,
		input.requested.weekday,
	] {
		is_string(text)
		text != ""
	}
	every text in [input.agent.risk_tier, input.agent.team, input.agent.owner] {
		is_string(text)
	}
	every flag in [input.action.is_reversible, input.action.is_new, input.edited] {
		is_boolean(flag)
	}
	every list in [input.agent.data_classes, input.agent.tools] {
		is_text_list(list)
	}
	every number in [
		input.requested.minute,
		input.counts.hour,
		input.counts.day,
		input.counts.open,
	] {
		is_number(number)
		number >= 0
	}
	is_object(input.action.arguments)
	declared_sound
}

# What the manifest says of the tool beyond its name; an agent need not say more.
declared := object.get(input.agent, "declared", {})

declared_sound if {
	is_object(declared)
	object.get(declared, "approval", "policy") in ["required", "policy"]
	is_string(object.get(declared, "currency", ""))
	is_limit(object.get(declared, "max_amount", null))
}

is_limit(most) if most == null

is_limit(most) if {
	is_number(most)
	most >= 0
}

# --- who acts, where, on what

stage_acts if input.agent.stage in settings.stages

tool_declared if {
	some tool in input.agent.tools
	is_like(target, tool)
}

kind_not_new_at_the_end if not input.action.is_new

kind_not_new_at_the_end if not input.agent.stage in settings.ending_stages

effect_permitted if input.action.effect in settings.effects

connection_permitted if {
	not input.action.connection in settings.connections.refused
	some allowed in settings.connections.allowed
	is_like(input.action.connection, allowed)
}

classes_known if {
	count(input.agent.data_classes) > 0
	every class in input.agent.data_classes {
		class in data.settings.data_classes
	}
}

# A connection that the settings do not name takes what its agents are approved for.
classes_at_connection if count(classes_beyond) == 0

classes_beyond contains class if {
	classes := settings.connections.data_classes[input.action.connection]
	some class in input.agent.data_classes
	not class in classes
}

# --- with which arguments

arguments := input.action.arguments

# `a.b` is the member b of the argument a.
argument(name) := object.get(arguments, split(name, "."), null)

arguments_permitted if count(arguments_refused) == 0

arguments_refused contains name if {
	some name in settings.arguments.refused
	argument(name) != null
}

values_permitted if count(arguments_amiss) == 0

arguments_amiss contains entry.argument if {
	some entry in settings.arguments.values
	is_like(target, entry.operation)
	not argument(entry.argument) in entry.allowed
}

# --- how much money

moves_money if input.action.effect in settings.money.effects

amounts := {name: value |
	some name, _ in settings.money.amounts
	value := argument(name)
	value != null
}

currencies := {value |
	some name in settings.money.currencies
	value := argument(name)
	value != null
}

currency := settings.money.usual_currency if {
	count(currencies) == 0
} else := name if {
	count(currencies) == 1
	some name in currencies
	is_string(name)
}

limit := object.get(settings.money.limits, currency, settings.money.limits["*"])

# Below zero is as much as above it: a refund moves money too.
above(most) if {
	is_number(most)
	some name, value in amounts
	value > most * settings.money.amounts[name]
}

above(most) if {
	is_number(most)
	some name, value in amounts
	value < 0 - (most * settings.money.amounts[name])
}

amount_readable if not moves_money

amount_readable if {
	is_string(currency)
	every value in amounts {
		is_number(value)
	}
}

amount_permitted if not moves_money

amount_permitted if {
	moves_money
	not above(limit.refuse_above)
}

amount_as_declared if not moves_money

amount_as_declared if object.get(declared, "max_amount", null) == null

amount_as_declared if {
	is_number(declared.max_amount)
	object.get(declared, "currency", "") in ["", currency]
	not above(declared.max_amount)
}

# --- to whom

addressed := [value |
	some name in settings.recipients.arguments
	value := argument(name)
	value != null
]

recipients_permitted if settings.recipients.outside == "ask"

recipients_permitted if not recipients_outside

recipients_outside if {
	input.action.effect in settings.recipients.effects
	some value in addressed
	not reached_inside(value)
}

# Nobody can say where a message goes whose recipients are not among its arguments.
recipients_outside if {
	input.action.effect in settings.recipients.effects
	count(addressed) == 0
	not input.action.adapter in settings.recipients.without_address
	not fixed
}

fixed if {
	some pattern in settings.recipients.fixed
	is_like(target, pattern)
}

reached_inside(value) if is_inside(value)

reached_inside(value) if {
	is_array(value)
	every address in value {
		is_inside(address)
	}
}

# One plain address: two in one text would be judged by the domain of the last.
is_inside(address) if {
	is_string(address)
	parts := split(address, "@")
	count(parts) == 2
	parts[0] != ""
	every sign in [",", ";", ":", "<", ">", "(", ")", " "] {
		not contains(address, sign)
	}
	some domain in settings.recipients.domains
	is_within(lower(parts[1]), domain)
}

is_within(name, domain) if name == domain

is_within(name, domain) if {
	startswith(domain, "*.")
	endswith(name, trim_prefix(domain, "*"))
}

# --- when, and how often

in_working_hours if {
	input.requested.weekday in settings.hours.days
	input.requested.minute >= settings.hours.from_minute
	input.requested.minute < settings.hours.to_minute
}

rate_permitted if not beyond_rate(settings.rate.refuse)

# A count is of what was proposed before this action.
beyond_rate(limits) if {
	some name in ["hour", "day", "open"]
	is_number(limits[name])
	input.counts[name] >= limits[name]
}
