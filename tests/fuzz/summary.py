"""Tells what Schemathesis did, out of its reports, and judges whether it was enough.

Usage: summary.py judge CASES REPORT.ndjson... Exit code 1 when fewer cases were run, when an answer
was a 500, or when no request brought an order further.
       summary.py count REPORT.ndjson... Prints how many cases were run.
"""

import collections
import json
import re
import sys

# Steps of an order's life that a chain of requests must have taken at least once, and those that
# any request must have; with fewer cases than ENOUGH that is a matter of luck.
ENOUGH = 10_000
STEPS_OF_CHAINS = ("cancel", "shipments", "refunds")
STEPS = ("deliver", "returns")


def read(reports):
    """Cases by phase; by operation and answer; the latter for chains of requests only."""
    phases = collections.Counter()
    operations = collections.defaultdict(collections.Counter)
    stateful = collections.defaultdict(collections.Counter)
    for scenario in scenarios(reports):
        phase, recorder = scenario["phase"], scenario["recorder"]
        answers = recorder.get("interactions", {})
        for name, case in recorder.get("cases", {}).items():
            response = (answers.get(name) or {}).get("response") or {}
            status = str(response.get("status_code", "none"))
            label = f"{case['value']['method']} {case['value']['path']}"
            # A request that a check made to see what happens then is no case.
            if name not in recorder.get("checks", {}):
                operations[label]["probe"] += 1
                continue
            phases[phase] += 1
            operations[label][status] += 1
            if phase == "stateful":
                stateful[label][status] += 1
    return phases, operations, stateful


def scenarios(reports):
    for report in reports:
        with open(report, encoding="utf-8") as lines:
            for event in map(json.loads, lines):
                if "ScenarioFinished" in event:
                    yield event["ScenarioFinished"]


def tell(phases, operations, stateful):
    print("\nCases by operation and answer (stateful ones once more in brackets)")
    documented, refused = {}, 0
    for label, answers in operations.items():
        # Methods that a path does not have; each is answered with 405.
        if answers.keys() <= {"405", "probe"}:
            refused += answers["405"]
        else:
            documented[label] = answers
    for label, answers in sorted(documented.items(), key=lambda row: row[0].split(" ")[::-1]):
        told = [
            f"{status}: {count}" + (f" [{stateful[label][status]}]" if stateful[label][status] else "")
            for status, count in sorted(answers.items())
        ]
        print(f"  {label:58} {', '.join(told)}")
    print(f"  {'methods that a path does not have':58} 405: {refused}")
    print("Cases by phase")
    for phase, count in phases.items():
        print(f"  {phase:10} {count:7}")
    print(f"  {'all':10} {sum(phases.values()):7}")


def judge(found, wanted, operations, stateful):
    problems = []
    if found < wanted:
        problems.append(f"only {found} cases were run, and {wanted} were wanted")
    for label, answers in operations.items():
        if answers["500"]:
            problems.append(f"{label} answered 500 {answers['500']} times")
    for steps, counted, who in (
        (STEPS_OF_CHAINS, stateful, "chain of requests"),
        (STEPS, operations, "request"),
    ):
        for step in steps if wanted >= ENOUGH else ():
            answers = counted[f"POST /v1/orders/{{id}}/{step}"]
            if not any(re.fullmatch("2..", status) for status in answers):
                problems.append(f"no {who} got a 2xx from …/{step}")
    for problem in problems:
        print(f"summary: {problem}")
    return 1 if problems else 0


def main(command, *arguments):
    if command == "count":
        print(sum(read(arguments)[0].values()))
        return 0
    wanted, *reports = arguments
    phases, operations, stateful = read(reports)
    tell(phases, operations, stateful)
    return judge(sum(phases.values()), int(wanted), operations, stateful)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
