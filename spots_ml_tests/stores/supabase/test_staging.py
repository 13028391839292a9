import itertools
import uuid

import pytest

from spots_ml.stores.supabase import staging
from spots_ml.stores.supabase.staging import send_batch
from spots_ml.stores.supabase.transport.refusals import ConflictError, UnavailableError
from spots_ml_tests.stores.supabase import scripted_server as script


def waiting(project, batch):
    with project.server.connect(project.database) as connection:
        return connection.execute(
            "select position, item from public.incoming_rows where batch = %s order by position", [batch.id]
        ).fetchall()


@pytest.mark.parametrize("n", [0, 1, 499, 500, 501, 1200])
def test_rows_wait_in_order_under_the_id_of_their_batch(project, relayed, n):
    items = [{"number": number, "text": 'ä "\\', "none": None, "part": number / 3} for number in range(n)]

    batch, another = send_batch(relayed, iter(items)), send_batch(relayed, [{}])

    assert waiting(project, batch) == list(enumerate(items))
    assert (batch.n_rows, another.n_rows) == (n, 1)
    assert uuid.UUID(batch.id) != uuid.UUID(another.id)


def test_a_page_whose_answer_is_lost_is_sent_again_and_waits_once(monkeypatch, project, relay, relayed):
    monkeypatch.setattr(staging, "_PAGE_ROWS", 10)
    relay.faults.extend([script.behave, script.applied_then_reset, script.applied_then_reset])

    batch = send_batch(relayed, [{"number": number} for number in range(25)])

    assert [position for position, _ in waiting(project, batch)] == list(range(25))
    assert relay.methods() == ["POST"] * 5


def test_a_page_that_is_not_accepted_ends_the_sending(monkeypatch, relay, relayed):
    monkeypatch.setattr(staging, "_PAGE_ROWS", 10)
    relay.faults.extend([script.behave, *[script.refuse(503)] * 4])
    items = iter([{"number": number} for number in range(50)])

    with pytest.raises(UnavailableError, match=r"could not send rows \(incoming_rows at 127.*sent 4 times"):
        send_batch(relayed, items)
    assert len(list(items)) == 30


def test_an_item_that_is_no_document_is_refused(relay, relayed):
    with pytest.raises((ConflictError, UnavailableError), match="could not send rows"):
        send_batch(relayed, [["no", "document"]])


def test_items_are_held_a_page_at_a_time(monkeypatch, relay, relayed):
    monkeypatch.setattr(staging, "_PAGE_ROWS", 10)
    taken = itertools.count()
    n_taken = []
    relay.faults.extend([lambda handler: (n_taken.append(next(taken)), handler.behave())] * 3)

    send_batch(relayed, ({"number": next(taken)} for _ in range(30)))

    # The counter is drawn from once by each request.
    assert n_taken == [10, 21, 32]
