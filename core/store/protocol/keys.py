"""Every key in Redis, once. All begin with `relay:`; Celery's own begin with `relay:celery:`.

A *lane* is `inbox`, the name of a connector, or `source.NAME` of an account in the section `source`. Times and scores
are Unix milliseconds by the server's clock.

| key                          | type   | what                                                                       |
|------------------------------|--------|----------------------------------------------------------------------------|
| lane:LANE                    | zset   | item -> when it is due; while it is leased, when the lease runs out         |
| leases:LANE                  | hash   | item -> fencing token of whoever works on it                                |
| gate:CONNECTOR               | hash   | exists while the connector is paused: since, reason, by (admin, relay:      |
|                              |        | refused, breaker: out of order), fingerprint; ahead (the next claim may     |
|                              |        | pass), probe (token of the one that passed); until, probes (breaker);     |
|                              |        | caused (the deliveries that were refused, as JSON)                          |
| gates:CONNECTOR              | list   | the last 50 times that its gate closed or opened, as JSON, oldest first: at, |
|                              |        | by (as in gate; '' when it opened)                                          |
| suspect:CONNECTOR            | string | a delivery to which the vendor said what it would say to every one, until   |
|                              |        | another is refused like it, or any arrives (expires after three days)       |
| alone:CONNECTOR:IDENTITY     | hash   | id, token of the delivery that looks for a person now (digest of an email)  |
| token:CONNECTOR              | hash   | kept (access and refresh token, sealed), version (counts them), client      |
|                              |        | (digest: whose they are); holder, until (who fetches a new one now)         |
| cache:CONNECTOR:NAME         | string | what a vendor answered and hardly changes, sealed (expires)                 |
| person:CONNECTOR:DIGEST      | string | the id at the vendor's of the person who goes by a name (digest of an email,|
|                              |        | a phone number, a customer's or visitor's id), sealed (expires)             |
| person-names:CONNECTOR:DIGEST| set    | the DIGESTs under which one person is kept (expires)                        |
| epoch                        | hash   | server (its run id), sequence of the last body before it; memory (since     |
|                              |        | when every conversation that began is known)                                |
| circuit:CONNECTOR            | hash   | outages in a row, and the last delivery that met one                        |
| pace:CONNECTOR               | hash   | tokens, at (bucket of requests), mean (requests of a delivery, of late);    |
|                              |        | slow (divides the rate), slowed, hold (nothing begins before), after a 429; |
|                              |        | wide (so many at once), full (as many as there were), narrowed (when),      |
|                              |        | after a time-out; day (when it is over), spent (requests in it), made (the  |
|                              |        | deliveries that took them), used_up (until when), of a daily limit          |
| limited:CONNECTOR            | string | what is due waits for its limits, or did so lately (expires after 30 s)     |
| knock:LANE                   | string | a Celery message for this lane is on its way (expires after a minute)       |
| tick                         | string | somebody has looked for due lanes (expires after a period)                  |
| steady, settling             | string | a worker was seen; leases that ran out are nobody's fault yet (3 s each)     |
| sequence                     | string | a counter: the order in which bodies came                                   |
| payload:ID                   | hash   | received, sequence, account, type, size, digest, status, conversation,      |
|                              |        | error, duplicates, crashes, alone (those of processes of its own); since    |
|                              |        | (when it was diverted, or discarded); why (it goes to no connector: a       |
|                              |        | Nowhere of core/delivery.py); origin (the account in `source` by whose      |
|                              |        | signed webhooks it came); only (the one connector that it is fetched for);  |
|                              |        | beneath (it is filed before a revision that came earlier and says more)     |
| raw:ID                       | string | the body, byte for byte                                                     |
| body:DIGEST                  | string | half of the SHA-256 of account and body, without addresses of files         |
|                              |        | -> payload                                                                  |
| payloads:STATUS              | zset   | payload -> when it was received                                             |
| conversations                | zset   | conversation (ACCOUNT:CHANNEL) -> when its newest revision was read         |
| undelivered                  | zset   | conversation that was delivered nowhere, against anybody's will -> its score|
|                              |        | in `conversations`                                                          |
| revisions:CONVERSATION       | zset   | payload -> its sequence, or between two, where it is filed beneath or above  |
| begun:ACCOUNT                | zset   | conversation -> when it began, as it says itself (docs/adr/0030)            |
| begun-noted                  | string | what versions without `begun` have read is in it, too                       |
| fetched-accounts             | set    | numbers of accounts of which chats came from Smartsupp's API                |
| other-id:ID                  | string | another id by which a conversation came -> the one under which it is kept   |
| other-ids:CONVERSATION       | set    | the ids by which it came besides                                            |
| order:CONVERSATION           | hash   | it is to be fetched from Smartsupp's API: lane, asked (the first time), wait,|
|                              |        | began (its id is the hook's; it is looked for by that), tries, error,       |
|                              |        | crashes, again (asked for while in flight: due then), ends (somebody said   |
|                              |        | that it has ended), looks (that came too early), handed (by an admin to     |
|                              |        | this account, whosever it is)                                               |
| source-lanes                 | set    | lanes of accounts in `source` in which anything was to be fetched           |
| summary:CONVERSATION         | string | what lists and searches need of it (core/summary.py)                        |
| search-blocks                | zset   | beginning of a block -> the same, in ms (core/store/search/blocks.py)       |
| search-block:BEGINNING       | hash   | before (where it ends, ms), count, lines: what is searched of conversations |
|                              |        | that were read meanwhile, and their ids (expires after two days)            |
| deliveries-of:CONVERSATION   | set    | connectors that it was ever given to                                        |
| connectors                   | set    | connectors that were ever given anything                                    |
| renamed                      | hash   | earlier name of a connector -> its name (docs/adr/0015)                     |
| renamed-seen                 | zset   | earlier name -> when a configuration that says so was last in force         |
| delivery:CONNECTOR:CONV      | hash   | connector, conversation, status, created, updated, delivered (payload),     |
|                              |        | revision, ref, url, tries, waited (ms that it was to wait between them),    |
|                              |        | crashes, alone, error, again (asked for while in flight); looks (a payload) |
|                              |        | and late (it began before `memory`): may have been delivered before;        |
|                              |        | quiet_until (it is due then, if no further revision comes) and quiet_since  |
|                              |        | (when the first one came that waits); job (the bulk job that was the last  |
|                              |        | to queue or discard it); cause (of a dead letter); beneath (how many bodies |
|                              |        | were filed before its newest revision)                                      |
| deliveries:CONNECTOR:STATUS  | zset   | delivery -> when it came to that status                                     |
| causes:CONNECTOR             | zset   | cause -> how many dead letters have it                                      |
| cause:CONNECTOR              | hash   | cause -> what it is, as JSON: outcome, status, text                         |
| dead:CONNECTOR:CAUSE         | zset   | dead letter -> when it died                                                 |
| steps:DELIVERY               | hash   | step -> what it made at the destination, as JSON                            |
| attempts:DELIVERY            | list   | the last 100 attempts as JSON, oldest first                                 |
| count:minute:N, count:hour:N | hash   | statistics of the Nth minute or hour since 1970: in:STATUS (bodies),        |
|                              |        | out:CONNECTOR:OUTCOME (attempts, killed, discarded), took:CONNECTOR:BUCKET  |
|                              |        | (from receipt to record; bucket b ends at 2^((b+1)/4) ms)                   |
| count:day:N                  | hash   | the hours of the Nth day (UTC) since 1970, added up when it was over        |
| rolled-days                  | string | the last day whose hours were added up, and with it all before              |
| totals                       | hash   | the same since ever, took:CONNECTOR:sum in ms, refused:STATUS (posts that   |
|                              |        | were answered with that HTTP status), refused:STATUS:REASON (the same), and |
|                              |        | refused:connection:REASON (connections that were cut off), fetch:SOURCE:HOW |
|                              |        | (fetches of a chat, by how they ended), asked:SOURCE (requests to its API)  |
| job:ID                       | hash   | a bulk job: kind, filter, reason, by, created, as_of, total, seen, found,    |
|                              |        | done, cursor, finished                                                      |
| jobs:open, jobs:recent       | set,   | jobs that go on; the last ones, newest first                                |
|                              | list   |                                                                             |
| backfill:ID                  | hash   | a bulk job that fans out: as job:ID, and to, repeat, anyway (an Aim); apart,|
|                              |        | because a version that knows no such jobs would do something else           |
| backfills:open               | set    | those of them that go on; jobs:recent lists them, too                       |
| catch-up:ID                  | hash   | a backfill or a comparison with Smartsupp: see CatchUp (expires after 30   |
|                              |        | days)                                                                       |
| catch-up-rows:ID             | zset   | conversation at Smartsupp that it has still to look at -> when it began     |
| catch-ups:open               | set    | those of them that go on                                                    |
| catch-ups:recent             | list   | the last ones, newest first                                                 |
| catching-up                  | string | token of the process that works on them (expires after 20 s)                |
| compared                     | hash   | account in `source` -> its last comparison, as JSON: see Comparison         |
| compared-hours:SOURCE        | string | a comparison with Smartsupp was begun (expires after an hour)               |
| compared-days:SOURCE         | string | one of the last days was begun (expires after a day)                        |
| missing                      | hash   | day since 1970 -> chats that the hook never sent, and a comparison found    |
| erased:ACCOUNT               | zset   | when a conversation began that somebody had erased -> the same              |
| removed:ACCOUNT              | zset   | the same for those that retention removed (40 days)                         |
| recount                      | string | somebody has looked for what was delivered nowhere (expires in ten minutes) |
| sweep                        | string | somebody has removed what is old (expires after an hour)                    |
| rewritten                    | string | the append-only file was rewritten after a sweep (expires after a day)      |
| rewrite                      | string | the append-only file is to be written anew when the present rewriting ends  |
| chore                        | string | somebody works on the bulk jobs (expires after some seconds)                |
| incidents                    | hash   | KIND:SUBJECT -> a trouble that goes on, as JSON: kind, subject, count, error,|
|                              |        | since, began (first seen), seen (last), told (when, or 0)                  |
| notices:CHANNEL              | list   | notices that are not sent yet, as JSON, oldest first                       |
| sending:CHANNEL              | hash   | token (of whoever sends), due (the lease's end, or the next try), tries    |
| troubles                     | string | somebody has looked for troubles (expires after some seconds)              |
| workers                      | zset   | worker -> when it was last seen                                             |
| trouble                      | hash   | worker -> what is wrong with the configuration it was last asked to take    |
| admin                        | hash   | password (its hash), secret (signs the dashboard's cookies), first-steps    |
|                              |        | (done or hidden)                                                            |
| ended:SESSION                | string | a session of the dashboard was logged out (expires with its last cookie)    |
| login-link:DIGEST            | string | digest of the secret that signs cookies: SHA-256 of a link that logs in once |
|                              |        | (expires after ten minutes)                                                 |
| bucket:NAME                  | hash   | tokens, at: a token bucket (expires when it would be full)                  |
"""

PREFIX = "relay:"
CELERY_PREFIX = PREFIX + "celery:"
#: How ids of bulk jobs begin that a version which cannot fan out must not touch.
BACKFILL_ID = "b-"


def key(*parts: str) -> str:
    """`key("lane", "inbox")` is `relay:lane:inbox`."""
    return PREFIX + ":".join(parts)


def job_key(identity: str) -> str:
    """The key of a bulk job."""
    return key("backfill" if identity.startswith(BACKFILL_ID) else "job", identity)
