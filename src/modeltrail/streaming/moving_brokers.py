"""Two things that aiokafka does not do when brokers go and coordinators move, done for every client of the process.

- The answer to an offset fetch carries an error of its own from version 2 on (Kafka protocol guide, OffsetFetch): the
  coordinator is loading, or is another broker now. aiokafka reads the errors of partitions only, of which such an
  answer has none, and tells that nothing was ever committed: the whole log would be read again.
- A client that knows one broker only (the other was away when it asked last) and loses that one too asks it for ever.
  Here it asks the addresses again that it was started with, as Java clients do since Kafka 4 (KIP-899).

Pinned to aiokafka 0.14: it wraps what that release does inside.
"""

from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaConnectionError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.protocol.commit import OffsetFetchResponse_v2, OffsetFetchResponse_v3

__all__ = ["install"]

_send_req = GroupCoordinator._send_req  # noqa: SLF001 - as said above
_metadata_update = AIOKafkaClient._metadata_update  # noqa: SLF001 - as said above


def install() -> None:
    """Make every client of this process behave so; a second call changes nothing."""
    GroupCoordinator._send_req = _send_and_check  # noqa: SLF001 - as said above
    AIOKafkaClient._metadata_update = _update_or_bootstrap  # noqa: SLF001 - as said above


async def _send_and_check(self: Any, request: Any) -> Any:
    response = await _send_req(self, request)
    if isinstance(response, OffsetFetchResponse_v2 | OffsetFetchResponse_v3) and response.error_code:
        error = for_code(response.error_code)
        if error in {NotCoordinatorForGroupError, GroupCoordinatorNotAvailableError}:
            self.coordinator_dead()
        raise error(self.group_id) if error is GroupAuthorizationFailedError else error()
    return response


async def _update_or_bootstrap(self: Any, cluster_metadata: Any, topics: Any) -> bool:
    if await _metadata_update(self, cluster_metadata, topics):
        return True
    if cluster_metadata is not self.cluster:
        return False
    try:
        await self.bootstrap()
    except KafkaConnectionError:
        return False
    return bool(await _metadata_update(self, cluster_metadata, topics))
