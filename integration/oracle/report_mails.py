#!/usr/bin/python3
"""TLS reports as they arrived, read by other implementations: signatures by dkimpy, with keys from DNS;
mail and gzip by Python's own library; the reports against the JSON schema by python3-jsonschema.

usage: report_mails.py SCHEMA FILE…      *.eml: a mail; any other: the body of a POST
Prints a line of JSON for each file.
"""

import email
import email.policy
import gzip
import json
import pathlib
import subprocess
import sys

import dkim
import jsonschema


def key_record(name, timeout=5):
    """The TXT record, by the resolver that the lab has."""
    found = subprocess.run(
        ["drill", name.decode().rstrip("."), "TXT"], check=True, capture_output=True, text=True
    ).stdout
    answers = [line for line in found.splitlines() if "\tTXT\t" in line and not line.startswith(";")]
    strings = [line.split("\tTXT\t", 1)[1].split('"')[1::2] for line in answers]
    return "".join(strings[0]).encode() if len(strings) == 1 else None


def of_mail(octets):
    try:
        signed = dkim.DKIM(octets, tlsrpt="strict").verify(0, dnsfunc=key_record)
    except dkim.DKIMException as error:
        signed = f"{error}"
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    parts = list(message.iter_parts())
    attached = parts[-1]
    report = attached.get_payload(decode=True)
    told = {
        "dkim": signed,
        "type": message.get_content_type(),
        "report_type": message.get_param("report-type"),
        "parts": [part.get_content_type() for part in parts],
        "file_name": attached.get_filename(),
        "text": parts[0].get_content(),
    }
    for name in ["from", "to", "subject", "message-id", "tls-required", "tls-report-domain", "tls-report-submitter"]:
        told[name] = message.get_all(name)
    return told, report


def main():
    schema = json.loads(pathlib.Path(sys.argv[1]).read_text())
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    for name in sys.argv[2:]:
        file = pathlib.Path(name)
        told, report = {}, file.read_bytes()
        if file.suffix == ".eml":
            told, report = of_mail(report)
        if report[:2] == b"\x1f\x8b":
            report = gzip.decompress(report)
        told["report"] = json.loads(report)
        told["schema"] = [
            f"{error.json_path}: {error.message}" for error in validator.iter_errors(told["report"])
        ]
        told["file"] = file.name
        print(json.dumps(told))


main()
