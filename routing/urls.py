"""The addresses of the pages about runs, vendors, models and routes.

A route's name may hold a slash, so its pages go by its id; a name without one finds it too.
"""

from __future__ import annotations

from django.urls import path

from routing.views import (
    budgets,
    catalogue,
    comparing,
    connecting,
    editing,
    keeping,
    models,
    payloads,
    reevaluating,
    routes,
    run_list,
    runs,
    stops,
    vendors,
)

app_name = "routing"
urlpatterns = [
    path("runs/", run_list.runs, name="runs"),
    path("runs.<str:form>", run_list.download, name="runs-download"),
    path("runs/<str:run>/", runs.run, name="run"),
    path("runs/<str:run>/re-evaluate/", reevaluating.reevaluations, name="run-reevaluate"),
    path(
        "re-evaluations/<str:reevaluation>/cancel/", reevaluating.cancel, name="reevaluation-cancel"
    ),
    path("runs/<str:run>/calls/", runs.calls, name="run-calls"),
    path("runs/<str:run>/record/", runs.record, name="run-record"),
    path("runs/<str:run>/verify/", runs.verify, name="run-verify"),
    path("runs/<str:run>/diff/", comparing.choose, name="run-compare"),
    path("runs/<str:run>/diff/<str:other>/", comparing.compare, name="run-diff"),
    path("runs/<str:run>/calls/<str:call>/", payloads.payloads, name="run-payloads"),
    path("runs/<str:run>/calls/<str:call>/<str:side>/bytes/", payloads.raw, name="run-payload-raw"),
    path("budgets/", budgets.budgets, name="budgets"),
    path("budgets/new/", budgets.new, name="budget-new"),
    path("budgets/<str:budget>/", budgets.budget, name="budget"),
    path("budgets/<str:budget>/change/", budgets.change, name="budget-change"),
    path("budgets/<str:budget>/end/", budgets.end, name="budget-end"),
    path("vendors/", vendors.vendors, name="vendors"),
    path("vendors/connect/", connecting.connect, name="vendor-connect"),
    path("vendors/<str:name>/", vendors.vendor, name="vendor"),
    path("vendors/<str:name>/setup/", connecting.setup, name="vendor-setup"),
    path("vendors/<str:name>/change/", vendors.change, name="vendor-change"),
    path("vendors/<str:name>/secret/", vendors.secret, name="vendor-secret"),
    path("vendors/<str:name>/test/", vendors.test, name="vendor-test"),
    path("vendors/<str:name>/models/", connecting.add_models, name="vendor-models"),
    path("vendors/<str:name>/route/", connecting.make_route, name="vendor-route"),
    path("vendors/<str:name>/disable/", vendors.disable, name="vendor-disable"),
    path("vendors/<str:name>/enable/", vendors.enable, name="vendor-enable"),
    path("models/", models.models, name="models"),
    path("models/catalogue/", catalogue.catalogue, name="catalogue"),
    path("models/answered-as/", models.substitutions, name="substitutions"),
    path("models/<str:model>/", models.model, name="model"),
    path("models/<str:model>/change/", models.change, name="model-change"),
    path("models/<str:model>/disable/", models.disable, name="model-disable"),
    path("models/<str:model>/enable/", models.enable, name="model-enable"),
    path("retention/", keeping.retention, name="retention"),
    path("retention/age/", keeping.age, name="age"),
    path("retention/holds/", keeping.holds, name="holds"),
    path("retention/holds/new/", keeping.hold_new, name="hold-new"),
    path("retention/holds/<str:hold>/", keeping.hold, name="hold"),
    path("retention/holds/<str:hold>/end/", keeping.hold_end, name="hold-end"),
    path("retention/erasures/new/", keeping.erasure_new, name="erasure-new"),
    path("retention/erasures/<str:erasure>/", keeping.erasure, name="erasure"),
    path("stops/", stops.stops, name="stops"),
    path("stops/new/", stops.place, name="stop-new"),
    path("stops/<str:stop>/", stops.stop, name="stop"),
    path("stops/<str:stop>/prove/", stops.prove, name="stop-prove"),
    path("stops/<str:stop>/lift/", stops.lift, name="stop-lift"),
    path("routes/", routes.routes, name="routes"),
    path("routes/new/", editing.new, name="route-new"),
    path("routes/<str:route>/", routes.route, name="route"),
    path("routes/<str:route>/change/", editing.change, name="route-change"),
    path("routes/<str:route>/end-override/", routes.end, name="route-end-override"),
    path("routes/<str:route>/disable/", routes.disable, name="route-disable"),
    path("routes/<str:route>/enable/", routes.enable, name="route-enable"),
]
