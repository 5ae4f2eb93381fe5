"""The addresses of its pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from fleet.evaluations.views import criteria, evaluations, golden, pairs

app_name = "evaluations"
_ONE = "evaluations/<str:evaluation>"
urlpatterns: list[URLPattern] = [
    path("evaluations/", evaluations.evaluations, name="evaluations"),
    path(f"{_ONE}/", evaluations.evaluation, name="evaluation"),
    path(f"{_ONE}/cancel/", evaluations.cancel, name="cancel"),
    path(f"{_ONE}/report.json", evaluations.as_document, {"form": "json"}, name="report-json"),
    path(f"{_ONE}/pairs.csv", evaluations.as_document, {"form": "csv"}, name="pairs-csv"),
    path(f"{_ONE}/pairs/<str:arm>/<str:case>/", pairs.pair, name="pair"),
    path("agents/<str:name>/evaluate/", evaluations.begin, name="begin"),
    path("agents/<str:name>/evaluation-criteria/", criteria.criteria, name="criteria"),
    path("agents/<str:name>/golden-cases/new/", golden.add, name="golden-new"),
    path("golden-cases/<str:golden>/", golden.golden, name="golden"),
    path("golden-cases/<str:golden>/retire/", golden.retire, name="golden-retire"),
    path("runs/<str:run>/calls/<str:step>/golden/", golden.from_step, name="golden-from-step"),
    path("proposals/<str:proposal>/golden/", golden.from_correction, name="golden-from-correction"),
]
