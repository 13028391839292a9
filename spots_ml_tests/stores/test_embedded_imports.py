import contextlib
import multiprocessing
import os
import signal
import sqlite3
import time
from dataclasses import replace

import pytest

from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.building import START
from spots_ml_tests.stores.behind import file_of
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, stream

FORK = multiprocessing.get_context("fork")
N_ROWS = 3000


def take_in(path):
    return embedded_store(path).interactions.import_interactions(SeedLaw().generate(N_ROWS, seed=1), now=START)


def test_several_processes_importing_the_same_at_once_take_it_in_once(embedded):
    processes = [FORK.Process(target=take_in, args=(file_of(embedded),)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 4
    assert embedded.interactions.count_labels_after(None) == N_ROWS
    assert embedded.interactions.label_watermark() == f"{N_ROWS}/{N_ROWS}"


@pytest.mark.parametrize("delay_s", [0.02, 0.05, 0.08, 0.12, 0.16])
def test_a_killed_import_leaves_nothing_or_everything_and_running_again_finishes(embedded, delay_s):
    process = FORK.Process(target=take_in, args=(file_of(embedded),))
    process.start()
    time.sleep(delay_s)
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    assert embedded.interactions.count_labels_after(None) in (0, N_ROWS)
    report = take_in(file_of(embedded))
    assert report.n_new + report.n_unchanged == N_ROWS
    assert embedded.interactions.count_labels_after(None) == N_ROWS


def test_others_write_while_a_stream_is_taken_in(embedded):
    def batches():
        for batch in stream([interaction(number) for number in range(3)], batch_rows=1).batches:
            with contextlib.closing(sqlite3.connect(file_of(embedded), timeout=0, isolation_level=None)) as another:
                another.execute("BEGIN IMMEDIATE")
            yield batch

    taken = embedded.interactions.import_interactions(replace(stream([]), batches=batches()), now=NOW)

    assert taken.n_new == 3
