"""My Desk: a ticket for each chat, and its text as notes. All of it is in mydesk.yaml."""

from pathlib import Path

from connectors.http.recipe import recipe_in

MyDesk = recipe_in(Path(__file__).with_name("mydesk.yaml"))
