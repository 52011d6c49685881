#!/usr/bin/python3
"""RP-09 by another implementation: datagrams counted, merged and rendered by tlsrpt-reporter 0.6.0.

Its own classes do all of it: for each host a collector with a database, then its daemon of reports, which
has its own fetcher fetch from each of them. Nothing is sent.

usage: other_collector.py PACKAGE FOLDER DATAGRAMS…     PACKAGE: where pip put tlsrpt-reporter
                                                        FOLDER: an empty one, for its databases
                                                        DATAGRAMS: of each host, one in a line
"""

import json
import os
import pathlib
import sqlite3
import sys

PACKAGE = sys.argv[1]
sys.path.insert(0, PACKAGE)
# Its fetcher is a process of its own.
os.environ["PYTHONPATH"] = PACKAGE
from tlsrpt_reporter import tlsrpt  # noqa: E402


def defaults(options, **given):
    return {name: given.get(name, option["default"]) for name, option in options.items()}


def collect(database, lines):
    """What tlsrpt-collectd does with each datagram; then a midnight, which it has an order for."""
    config = tlsrpt.ConfigCollectd(**defaults(tlsrpt.options_collectd, daily_rollover_script=""))
    collector = tlsrpt.TLSRPTCollectdSQLite(f"sqlite:///{database}", config)
    for line in lines:
        collector.add_datagram(json.loads(line))
    # It prints each statement of this order.
    told, sys.stdout = sys.stdout, sys.stderr
    collector.switch_to_next_day(tlsrpt.RolloverReason.MANUALLYINDUCED)
    sys.stdout = told


def main():
    folder = pathlib.Path(sys.argv[2])
    fetchers = []
    for number, file in enumerate(sys.argv[3:]):
        database = folder / f"collectd{number}.sqlite"
        with open(file, "rb") as lines:
            collect(database, lines)
        fetcher = f"{sys.executable} -m tlsrpt_reporter.tlsrpt_fetcher --storage sqlite:///{database}"
        fetchers.append(fetcher)
    reports = folder / "reportd.sqlite"
    config = defaults(
        tlsrpt.options_reportd,
        dbname=str(reports),
        fetchers=",".join(fetchers),
        organization_name="Another",
        contact_info="help@other.test",
        sender_address="tlsrpt@other.test",
    )
    daemon = tlsrpt.TLSRPTReportd(tlsrpt.ConfigReportd(**config))
    daemon.check_day()
    daemon.collect_domains()
    daemon.fetch_data()
    daemon.create_reports()
    daemon.con.commit()
    found = sqlite3.connect(reports).execute("SELECT domain, report FROM reports ORDER BY domain")
    print(json.dumps([[domain, json.loads(report)] for domain, report in found]))


main()
