import asyncio
from contextlib import asynccontextmanager

from edge.bulletin import About, Contest, Drift, View
from edge.serve.follow import AWAY, Follower
from edge.share import Share
from edge.values import Decision, State

DECISION = Decision(1.0, State.DENY, "1 face without_mask")


def about(missed=0, view_until=0.0):
    return About(
        "maskgate-9", "", "1.0", "processor", 0.0, "must_wear", view_until=view_until, drift=Drift({"score": 0.1})
    )


class Notes:
    """A listener that writes down what it hears."""

    def __init__(self):
        self.heard = []

    def bulletin(self, bulletin):
        self.heard.append(bulletin.state)

    def about(self, about):
        self.heard.append(about.bundle)

    def connected(self, on):
        self.heard.append(on)


@asynccontextmanager
async def following(path, *listeners):
    follower = Follower(path, listeners)
    task = asyncio.create_task(follower.run())
    yield follower
    task.cancel()


async def until(true, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)


def test_it_hears_what_the_daemon_tells(tmp_path):
    async def check():
        notes = Notes()
        with Share(tmp_path / "s", about, lambda request: "") as share:
            async with following(tmp_path / "s", notes) as follower:
                await until(lambda: follower.about)
                share(DECISION)
                await until(lambda: follower.bulletin)
                assert follower.connected
                assert follower.about.drift.index == {"score": 0.1}
                assert follower.bulletin.reason == "1 face without_mask"
        assert notes.heard[:3] == [True, "maskgate-9", "DENY"]

    asyncio.run(check())


def test_it_waits_for_a_daemon_that_is_not_there_yet_and_finds_it_again(tmp_path):
    async def check():
        notes = Notes()
        async with following(tmp_path / "s", notes) as follower:
            await asyncio.sleep(0.1)
            assert not follower.connected
            for _ in range(2):
                with Share(tmp_path / "s", about, lambda request: "") as share:
                    await until(lambda: follower.connected)
                    assert share is not None
                await until(lambda: not follower.connected)
                assert follower.about is not None
        assert [each for each in notes.heard if isinstance(each, bool)] == [True, False, True, False]

    asyncio.run(check())


def test_requests_are_answered(tmp_path):
    async def check():
        handle = lambda request: "" if isinstance(request, View) else "not today"  # noqa: E731
        with Share(tmp_path / "s", about, handle):
            async with following(tmp_path / "s") as follower:
                await until(lambda: follower.connected)
                asked = [follower.ask(View(True)), follower.ask(Contest("page")), follower.ask(View(False))]
                assert await asyncio.gather(*asked) == ["", "not today", ""]

    asyncio.run(check())


def test_without_a_daemon_requests_say_so(tmp_path):
    async def check():
        assert await Follower(tmp_path / "s").ask(View(True)) == AWAY

    asyncio.run(check())


def test_the_last_picture_is_there_until_no_more_are_sent(tmp_path):
    async def check():
        said = [about(view_until=9.0)]
        with Share(tmp_path / "s", lambda missed: said[-1], lambda request: "") as share:
            async with following(tmp_path / "s") as follower:
                await until(lambda: follower.about)
                share.picture(b"\xff\xd8 one")
                share.picture(b"\xff\xd8 two")
                await until(lambda: follower.picture == b"\xff\xd8 two")
                said.append(about())
                await until(lambda: follower.picture is None)

    asyncio.run(check())
