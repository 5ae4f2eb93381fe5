"""The addresses of the portal's pages about people; agents' pages join in `config.urls`."""

from __future__ import annotations

from django.urls import path

from registry.views import account, people, signin, teams

app_name = "registry"
urlpatterns = [
    path("signin/", signin.signin, name="signin"),
    path("signout/", signin.signout, name="signout"),
    path("enter/<str:token>/", signin.enter, name="enter"),
    path("account/", account.account, name="account"),
    path("account/welcome/", account.welcome, name="welcome"),
    path("account/profile/", account.change_profile, name="account-profile"),
    path("account/password/", account.change_password, name="account-password"),
    path("account/tokens/", account.issue_token, name="account-tokens"),
    path("account/tokens/<str:token>/revoke/", account.revoke_token, name="account-token-revoke"),
    path("people/", people.people, name="people"),
    path("people/invite/", people.invite, name="invite"),
    path("people/suggest/", people.suggest_people, name="people-suggest"),
    path("people/teams/", teams.teams, name="teams"),
    path("people/teams/add/", teams.add_team, name="team-add"),
    path("people/<str:person>/", people.person, name="person"),
    path("people/<str:person>/change/", people.change_person, name="person-change"),
    path("people/<str:person>/deactivate/", people.deactivate, name="person-deactivate"),
    path("people/<str:person>/reactivate/", people.reactivate, name="person-reactivate"),
    path("people/<str:person>/signin-link/", people.sign_in_link, name="person-signin-link"),
]
