"""Writes a verdict to GitHub: one comment on a pull request, however often it is pushed to, or a check run.

Usage: github.py comment REPORT
       github.py check success|failure|neutral REPORT

What it is told besides is in variables: see action.yml, and those that GitHub sets. Where it may not write, it prints
why, in one line, and ends with 1.
"""
import json
import os
import sys
import urllib.error
import urllib.request

TITLES = {"success": "nothing slower", "failure": "slower, or not compared", "neutral": "no verdict"}


def main(command, *arguments):
    name = os.environ["GATE_NAME"]
    with open(arguments[-1], encoding="utf-8") as file:
        report = file.read()
    if command == "comment":
        comment(name, report, os.environ["GATE_PULL"], os.environ["GATE_AUTHOR"])
    else:
        check(name, report, arguments[0])


def comment(name, report, pull, author):
    """Writes the comment, or changes the one that is there."""
    marker = "<!-- plop-gate:%s -->" % name
    body = "%s\n\n%s\n%s" % (marker, report, footer(name))
    page = 1
    while True:
        comments = ask("GET", "issues/%s/comments?per_page=100&page=%d" % (pull, page))
        for old in comments:
            # Anyone can write the marker; only ours is changed.
            if old["user"]["login"] == author and (old["body"] or "").startswith(marker):
                return ask("PATCH", "issues/comments/%d" % old["id"], {"body": body})
        if len(comments) < 100:
            return ask("POST", "issues/%s/comments" % pull, {"body": body})
        page += 1


def check(name, report, conclusion):
    """Makes a check run of the commit, which unlike a job can be neutral."""
    ask("POST", "check-runs", {
        "name": name,
        "head_sha": os.environ.get("GATE_PULL_HEAD") or os.environ["GITHUB_SHA"],
        "status": "completed",
        "conclusion": conclusion,
        "details_url": run(),
        "output": {"title": TITLES[conclusion], "summary": report},
    })


def footer(name):
    return "<sub>%s, [what it did](%s)</sub>\n" % (name, run())


def run():
    variables = [os.environ[name] for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")]
    return "%s/%s/actions/runs/%s" % tuple(variables)


def ask(method, path, content=None):
    """One request about the repository; returns what it answers."""
    token = os.environ.get("GATE_TOKEN")
    if not token:
        sys.exit("there is no token")
    request = urllib.request.Request(
        "%s/repos/%s/%s" % (os.environ["GITHUB_API_URL"], os.environ["GITHUB_REPOSITORY"], path),
        method=method,
        data=None if content is None else json.dumps(content).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": "Bearer " + token,
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code in (403, 404):
            sys.exit("the token may not do that, as that of a pull request from a fork (HTTP %d)" % error.code)
        sys.exit("GitHub answers with HTTP %d" % error.code)
    except OSError as error:
        sys.exit("GitHub cannot be reached: %s" % error)


if __name__ == "__main__":
    main(*sys.argv[1:])
