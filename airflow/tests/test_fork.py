"""What a forked child does to its parent's connections: nothing, however it ends."""

import pytest
from process import Process

FORKING = """
driver = database.driver()
database.run(driver, "RETURN 1")
step("the parent has a driver")
child = os.fork()
if child == 0:
    own = database.driver()
    assert own is not driver
    assert database.run(own, "RETURN 2 AS x")[0]["x"] == 2
    {ending}
assert os.waitpid(child, 0)[1] == 0
step("the child has ended")
assert database.driver() is driver
assert database.run(driver, "RETURN 3 AS x")[0]["x"] == 3
step("the parent has asked again")
"""


@pytest.mark.parametrize(
    "ending",
    [
        "os._exit(0)",
        "sys.exit(0)",
        "driver.close(); sys.exit(0)",
        "database.close(); sys.exit(0)",
        "del driver; import gc; gc.collect(); sys.exit(0)",
    ],
)
def test_a_forked_child_has_a_driver_of_its_own_and_leaves_the_parents_alone(
    relay, relayed, ending
):
    with Process(FORKING.format(ending=ending), relayed) as process:
        process.expect("the parent has a driver")
        (parents,) = relay.connections
        before = parents.sent
        process.go_on()
        process.expect("the child has ended")
        assert len(relay.connections) == 2
        process.go_on()
        process.expect("the parent has asked again")
        # What the child had sent on this connection would stand before the parent's query.
        assert parents.sent.startswith(before) and len(parents.sent) > len(before)
        assert parents.goodbyes == 0 and not parents.is_closed_by_client
        assert len(relay.connections) == 2
        process.go_on()
    relay.wait_for(lambda: parents.is_closed_by_client)
    assert parents.goodbyes == 1


HELD = """
import threading
connections.CHECK_EVERY_S = 0
connections.CHECK_TIMEOUT_S = 30
database.driver()
step("the parent has a driver")
checking = threading.Thread(target=database.driver, daemon=True)
checking.start()
step("a thread holds the lock")
child = os.fork()
if child == 0:
    assert database.run(database.driver(), "RETURN 2 AS x")[0]["x"] == 2
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print("the child has ended", flush=True)
os._exit(0)
"""


def test_a_fork_while_another_thread_holds_the_lock_does_not_hang_the_child(relay, relayed):
    with Process(HELD, relayed) as process:
        process.expect("the parent has a driver")
        (parents,) = relay.connections
        before = len(parents.sent)
        relay.freeze()
        process.go_on()
        process.expect("a thread holds the lock")
        relay.wait_for(lambda: len(parents.sent) > before)
        process.go_on()
        process.expect("the child has ended")
        assert parents.goodbyes == 0
