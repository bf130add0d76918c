"""What every connector must do whose vendor keeps persons: the right one, nobody twice, and nothing overwritten.

    class TestHubSpot(PeopleContract):
        field = "jobtitle"
        refused_email = "john@doe.con"

Besides what `Contract` asks of a fake, this asks what people do at the vendor's: see `PeopleFake` in `bench`. A vendor
without companies, or that links persons to them itself, keeps a `PersonContract`. Only tests may import it.
"""

from __future__ import annotations

from connectors.testing.people.companies import OneCompany
from connectors.testing.people.fields import NothingOverwritten
from connectors.testing.people.identity import NobodyTwice
from connectors.testing.people.removal import NobodyLeft


class PersonContract(NobodyLeft, NothingOverwritten, NobodyTwice):
    """What holds wherever there are persons."""


class PeopleContract(PersonContract, OneCompany):
    """The same where persons are linked to companies."""
