"""Settings of `type: osticket`."""

from __future__ import annotations

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator

from connectors.kit.email_address import email_in
from connectors.kit.record import RecordSettings


class OsTicketSettings(RecordSettings):
    """Settings of `type: osticket`."""

    url: AnyHttpUrl = Field(description="Of osTicket, such as https://support.example.com.")
    key: SecretStr = Field(description="API key that can create tickets, for the address from which Relay calls.")
    address: str = Field(description="Email address of osTicket; its department and help topic get the tickets.")
    concurrency: int | None = Field(default=4, gt=0, description="Deliveries at the same time, over all workers.")

    account_settings = ("url",)

    @field_validator("url")
    @classmethod
    def _url_has_no_credentials(cls, url: AnyHttpUrl) -> AnyHttpUrl:
        if url.username or url.password:
            raise ValueError("the address is shown to people; remove the credentials from it")
        return url

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        if email_in(address) != address:
            raise ValueError("must be an email address, such as support@example.com")
        return address
