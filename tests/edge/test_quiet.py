import os
import threading

from edge.quiet import quiet


def test_nothing_reaches_standard_error_within_and_all_of_it_after(capfd):
    with quiet():
        os.write(2, b"noise")
    os.write(2, b"ours")
    assert capfd.readouterr().err == "ours"


def test_blocks_of_several_threads_may_overlap(capfd):
    inside, leave = threading.Event(), threading.Event()

    def other():
        with quiet():
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=other)
    with quiet():
        thread.start()
        inside.wait(5)
    os.write(2, b"noise")  # the other is still within
    leave.set()
    thread.join()
    os.write(2, b"ours")
    assert capfd.readouterr().err == "ours"
