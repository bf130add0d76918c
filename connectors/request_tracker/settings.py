"""Settings of `type: request-tracker`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator

from connectors.kit.files.settings import FileSettings
from connectors.kit.people.settings import PersonSettings
from connectors.kit.work.chat import DeskSettings
from core.config.types.templated import Templated, TemplateOf

#: The fields of a user that are not custom ones, as far as a chat may fill them; RT has names for the usual ones.
USER_FIELDS = (
    *("RealName", "EmailAddress", "MobilePhone", "WorkPhone", "HomePhone", "Organization", "NickName", "Lang"),
    *("Address1", "Address2", "City", "State", "Zip", "Country", "Comments", "FreeformContactInfo"),
)
#: The settings of the person that need a user for the relay who may manage users.
_OF_PERSON = (
    *("match", "phone", "customer_id", "customer_id_field", "remember_days"),
    *("person", "new_person", "consent", "marketing"),
)

Name = Annotated[str, Field(min_length=1)]


class RequestTrackerSettings(DeskSettings, PersonSettings, FileSettings):
    """Settings of `type: request-tracker`."""

    # RT has few workers: more requests at once wait there, are given up here, and are done there all the same.
    concurrency: int | None = Field(
        default=4,
        gt=0,
        description="Deliveries at the same time, over all workers; null: as many as there are threads.",
    )

    url: AnyHttpUrl = Field(description="Of RT, such as https://rt.example.com.")
    token: SecretStr | None = Field(default=None, description="An authentication token of RT's user for the relay.")
    user: str = Field(default="", description="Instead of a token: the name of that user.")
    password: SecretStr | None = Field(default=None, description="And the user's password.")
    queue: Templated[Name] = Field(description="Name or number of the queue that gets the tickets.")
    queue_fallback: str = Field(
        default="", description="Where queue is a template: the queue for chats for which it names none that is there."
    )
    manage_users: bool = Field(
        default=False,
        description="true: the requestor is looked for, made and filled as match, person and the like say, for which "
        "RT's user needs the right AdminUsers; false: RT makes it of the address.",
    )
    priority: Templated[int] | None = Field(default=None, description="Of new tickets; null: as the queue says.")
    chat_field: str = Field(
        default="ChatConversation", min_length=1, description="The custom field that holds the conversation's key."
    )

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if bool(self.token) == bool(self.user) or bool(self.user) != bool(self.password):
            raise ValueError("write either 'token: …', or 'user: …' and 'password: …'")
        if self.url.username or self.url.password:
            raise ValueError("url is shown to people; remove the credentials from it")
        return self

    @model_validator(mode="after")
    def _may_look_for_people(self) -> Self:
        given = [name for name in _OF_PERSON if name in self.model_fields_set]
        if given and not self.manage_users:
            raise ValueError(
                f"{given[0]} needs to look at RT's users; write 'manage_users: true', and give RT's user AdminUsers"
            )
        return self

    @model_validator(mode="after")
    def _has_a_queue_for_every_chat(self) -> Self:
        if isinstance(self.queue, TemplateOf) != bool(self.queue_fallback):
            raise ValueError(
                "queue is a template; write 'queue_fallback: Chats' beside it, for chats for which it names no queue"
                if isinstance(self.queue, TemplateOf)
                else "queue_fallback is for a queue that is a template; remove it"
            )
        return self
