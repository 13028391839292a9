"""What a registry with rollouts must be after any changes, of one model, as simply as it can be said.

It knows nothing of the program but the names of things; a change that may not be made raises `NotAllowed`.
"""

SHARES = (0.1, 0.5)
OPEN = ("running", "paused")
AFTER = {
    ("running", "widened"): "running",
    ("running", "paused"): "paused",
    ("paused", "resumed"): "running",
    ("running", "promoted"): "promoted",
    ("running", "rolled_back"): "rolled_back",
    ("paused", "rolled_back"): "rolled_back",
    ("running", "ended"): "ended",
    ("paused", "ended"): "ended",
}


class NotAllowed(Exception):  # noqa: N818 - it is an answer, no mishap
    """The change may not be made."""


def insist(condition):
    if not condition:
        raise NotAllowed


class Reference:
    """Versions by number, what answered one after the other, and rollouts."""

    def __init__(self):
        self.status, self.weight = {}, {}
        self.answered = []
        self.rollouts = []

    @property
    def active(self):
        return next((number for number, status in self.status.items() if status == "active"), None)

    @property
    def open(self):
        return next((one for one in self.rollouts if one["status"] in OPEN), None)

    def versions(self):
        """Status, weight and traffic of each."""
        return [(status, self.weight[number], self._traffic(number)) for number, status in self.status.items()]

    def _traffic(self, number):
        if self.status[number] == "active":
            return 1.0
        running = self.open
        offered = running is not None and running["kind"] == "version" and running["version"] == number
        return SHARES[running["stage"] - 1] if offered else 0.0

    def register(self, number):
        if self.status.get(number) in (None, "archived"):
            self.status[number] = "staging"
            self.weight.setdefault(number, 0.1)

    def promote(self, number):
        insist(self.status.get(number) in ("staging", "deprecated"))
        self._overtake()
        self._promote(number)

    def _promote(self, number):
        self.answered = [*(self.answered if self.active is not None else []), number]
        if self.active is not None:
            self.status[self.active] = "deprecated"
        self.status[number] = "active"

    def rollback(self):
        undone = self.active
        insist(undone is not None)
        self._overtake()
        self.status[undone] = "deprecated"
        while self.answered and (self.answered[-1] == undone or self.status[self.answered[-1]] != "deprecated"):
            self.answered.pop()
        if self.answered:
            self.status[self.answered[-1]] = "active"

    def withdraw(self):
        insist(self.active is not None)
        self._overtake()
        self.status[self.active] = "deprecated"

    def archive(self, number):
        insist(self.status.get(number) in ("staging", "deprecated"))
        if self.open is not None and self.open["version"] == number:
            self._overtake()
        self.status[number] = "archived"

    def unarchive(self, number):
        insist(self.status.get(number) == "archived")
        self.status[number] = "staging"

    def weigh(self, number, weight):
        insist(self.status.get(number) in ("staging", "active"))
        insist(self.open is None or number not in (self.open["version"], self.open["champion"]))
        self.weight[number] = weight

    def start(self, number, kind, weight):
        insist(self.open is None)
        insist(self.status.get(number) == ("staging" if kind == "version" else "active"))
        insist(kind == "version" or self.weight[number] != weight)
        if kind == "version":
            self.weight[number] = weight
        started = {"version": number, "kind": kind, "weight": weight, "champion": self.active, "status": "running"}
        self.rollouts.append(started | {"stage": 1, "units": 0, "looks": 0, "events": ["started"]})

    def change(self, position, action):
        insist(position < len(self.rollouts))
        rollout = self.rollouts[position]
        after = AFTER.get((rollout["status"], action))
        insist(after is not None)
        insist(action != "widened" or rollout["stage"] < len(SHARES))
        rollout["stage"] += action == "widened"
        rollout["status"] = after
        rollout["events"].append(action)
        if action == "promoted" and rollout["kind"] == "version":
            self._promote(rollout["version"])
        elif action == "promoted":
            self.weight[rollout["version"]] = rollout["weight"]

    def look(self, position, n_units, action):
        insist(position < len(self.rollouts))
        rollout = self.rollouts[position]
        insist(rollout["status"] in OPEN)
        if action is not None:
            self.change(position, action)
        rollout["units"] += n_units
        rollout["looks"] += 1

    def _overtake(self):
        if self.open is not None:
            self.open["events"].append("ended")
            self.open["status"] = "ended"
