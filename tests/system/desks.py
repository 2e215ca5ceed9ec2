"""Desks of vendors as they publish their fields: unknown ones and over-lengths are refused.

Each keeps its tickets by the alert's key. `moods` are what the first requests to each are
answered with instead: (status, headers).
"""
import json
import re
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = re.compile(r"fw1-[0-9a-f]{32}")


# A length stands for a text of at most so many characters; this for a number.
int_type = (int, float)


class Mistake(Exception):
    pass


def demand(truth, sentence):
    if not truth:
        raise Mistake(sentence)


def has_only(body, fields, required=()):
    """`fields`: {name: type or longest text}."""
    demand(isinstance(body, dict), f"an object, not {body!r}")
    for name, value in body.items():
        demand(name in fields, f"unknown field {name}")
        if isinstance(fields[name], int):
            demand(isinstance(value, str) and len(value) <= fields[name], f"{name} is too long or no text: {value!r}")
        else:
            demand(isinstance(value, fields[name]) and not isinstance(value, bool), f"{name}: {value!r}")
    for name in required:
        demand(body.get(name) not in (None, ""), f"{name} is missing")


class Vendor:
    """One desk; `answer` gives (status, JSON) and notes what is open and closed."""
    authorization = None

    def __init__(self):
        self.opened, self.changed, self.closed, self.moods = [], [], [], []

    def is_believed(self, headers):
        return self.authorization is None or headers.get("Authorization") == self.authorization

    def open(self, text):
        found = KEY.search(text)
        demand(found, f"no key in {text!r}")
        self.opened.append(found.group())
        return len(self.opened)

    def close(self, number):
        demand(1 <= number <= len(self.opened), f"no ticket {number}")
        self.closed.append(self.opened[number - 1])


class Halo(Vendor):
    authorization = "Bearer halo"

    def answer(self, method, path, body):
        demand((method, path) == ("POST", "/api/tickets"), f"{method} {path}")
        demand(isinstance(body, list) and len(body) == 1, "a list of one")
        ticket = body[0]
        if "id" in ticket:
            has_only(ticket, {"id": int_type, "status_id": int_type}, ("status_id",))
            self.close(ticket["id"])
            return 201, {"id": ticket["id"]}
        has_only(ticket, {"summary": 255, "details": 100000, "tickettype_id": int_type, "priority_id": int_type,
                          "thirdpartyref": 255}, ("summary", "tickettype_id"))
        return 201, {"id": self.open(ticket["thirdpartyref"])}


class Topdesk(Vendor):
    authorization = "Basic dG9wZGVzazpwdw=="

    def answer(self, method, path, body):
        if method == "POST":
            demand(path == "/tas/api/incidents", path)
            has_only(body, {"callerLookup": dict, "briefDescription": 80, "request": 100000, "externalNumber": 60,
                            "priority": dict, "operatorGroup": dict}, ("callerLookup", "briefDescription"))
            return 201, {"id": "uuid", "number": f"I 2611 {self.open(body['externalNumber']):03}"}
        number = re.fullmatch(r"/tas/api/incidents/number/I%202611%20(\d+)", path)
        demand(method == "PATCH" and number, f"{method} {path}")
        has_only(body, {"processingStatus": dict, "action": 100000, "priority": dict}, ("action",))
        if "processingStatus" in body:
            self.close(int(number.group(1)))
        else:
            self.changed.append(body["action"])
        return 200, {}


class Freshservice(Vendor):
    authorization = "Basic a2V5Olg="
    status = 2

    def answer(self, method, path, body):
        if method == "GET":
            demand(re.fullmatch(r"/api/v2/tickets/\d+", path), path)
            return 200, {"ticket": {"id": int(path.rsplit("/", 1)[1]), "status": self.status}}
        if method == "POST":
            demand(path == "/api/v2/tickets", path)
            has_only(body, {"email": 255, "subject": 255, "description": 100000, "status": int_type,
                            "priority": int_type, "tags": list}, ("email", "subject", "description"))
            demand(body["priority"] in (1, 2, 3, 4), "priority")
            return 201, {"ticket": {"id": self.open(body["description"])}}
        number = re.fullmatch(r"/api/v2/tickets/(\d+)", path)
        demand(method == "PUT" and number, f"{method} {path}")
        has_only(body, {"status": int_type}, ("status",))
        self.close(int(number.group(1)))
        return 200, {}


class Teams(Vendor):
    def answer(self, method, path, body):
        demand((method, path) == ("POST", "/workflows/1/invoke?sig=a%2Fb"), f"{method} {path}")
        has_only(body, {"type": 7, "attachments": list}, ("type", "attachments"))
        card = body["attachments"][0]["content"]
        has_only(card, {"type": 20, "version": 5, "body": list}, ("type", "version", "body"))
        text = card["body"][0]["inlines"][0]["text"]
        (self.opened if text.startswith("firing: ") else self.closed).append(text.split(": ", 1)[1])
        return 202, {}


class Sms(Vendor):
    authorization = "Basic QUM6cw=="

    def answer(self, method, path, body):
        demand((method, path) == ("POST", "/2010-04-01/Accounts/ACCOUNT/Messages.json"), f"{method} {path}")
        has_only(body, {"To": 20, "From": 11, "Body": 160}, ("To", "From", "Body"))
        demand(re.fullmatch(r"\+[0-9]+", body["To"]), body["To"])
        self.opened.append(body["Body"])
        return 201, {"sid": f"SM{len(self.opened)}"}


class PagerDuty(Vendor):
    def answer(self, method, path, body):
        demand((method, path) == ("POST", "/v2/enqueue"), f"{method} {path}")
        has_only(body, {"routing_key": 32, "event_action": 11, "dedup_key": 255, "client": 1024, "client_url": 1024,
                        "payload": dict, "links": list, "images": list}, ("routing_key", "event_action"))
        demand(len(body["routing_key"]) == 32, "the routing key has 32 characters")
        if body["event_action"] == "trigger":
            has_only(body["payload"], {"summary": 1024, "source": 1024, "severity": 8, "timestamp": 40,
                                       "component": 1024, "group": 1024, "class": 1024, "custom_details": dict},
                     ("summary", "source", "severity"))
            demand(body["payload"]["severity"] in ("critical", "error", "warning", "info"), "severity")
            if body["dedup_key"] not in self.opened:
                self.open(body["dedup_key"])
        elif body["event_action"] == "acknowledge":
            demand(body["dedup_key"] in self.opened, "of what was triggered")
        else:
            demand(body["event_action"] == "resolve", body["event_action"])
            self.close(self.opened.index(body["dedup_key"]) + 1)
        return 202, {"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]}


class ServiceNow(Vendor):
    """Event Management and the table of incidents."""
    authorization = "Basic ZmVud2F0Y2g6cHc="
    EVENT = {"source": 100, "event_class": 100, "node": 100, "type": 100, "resource": 100, "metric_name": 100,
             "message_key": 1024, "severity": 1, "resolution_state": 7, "time_of_event": 40, "description": 4000,
             "ci_type": 100, "additional_info": 100000}
    INCIDENT = {"correlation_id": 100, "correlation_display": 100, "short_description": 160, "description": 4000,
                "urgency": 1, "impact": 1, "assignment_group": 32}

    def answer(self, method, path, body):
        if path == "/api/global/em/jsonv2":
            return self.events(body)
        demand(path.startswith("/api/now/table/incident"), path)
        if method == "GET":
            asked = urllib.parse.parse_qs(path.partition("?")[2])
            by = re.fullmatch(r"(correlation_id=fw1-[0-9a-f]{32}|number=INC[0-9]{7})\^state<6", asked["sysparm_query"][0])
            name = by.group(1).partition("=")[2]
            found = [i for i, key in enumerate(self.opened, 1)
                     if name in (key, f"INC{i:07}") and key not in self.closed]
            return 200, {"result": [{"sys_id": f"{i:032x}", "number": f"INC{i:07}"} for i in found[:1]]}
        if method == "POST":
            has_only(body, self.INCIDENT, ("short_description",))
            number = self.open(body["correlation_id"])
            return 201, {"result": {"sys_id": f"{number:032x}", "number": f"INC{number:07}"}}
        demand(method == "PATCH", method)
        if "work_notes" in body:
            has_only(body, {"work_notes": 4000}, ("work_notes",))
            return 200, {"result": {}}
        has_only(body, {"state": 1, "close_code": 40, "close_notes": 4000}, ("state", "close_code", "close_notes"))
        self.close(int(path.rsplit("/", 1)[1], 16))
        return 200, {"result": {}}

    def events(self, body):
        has_only(body, {"records": list}, ("records",))
        for event in body["records"]:
            has_only(event, self.EVENT, ("source", "node", "severity", "message_key"))
            demand(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", event["time_of_event"]), event["time_of_event"])
            more = json.loads(event["additional_info"])
            demand(all(isinstance(v, str) for v in more.values()), "additional_info has texts only")
            if event["resolution_state"] == "Closing":
                demand(event["severity"] == "0", "a clear is severity 0")
                self.close(self.opened.index(event["message_key"]) + 1)
            elif event["message_key"] not in self.opened:
                self.open(event["message_key"])
        return 200, {"result": {"Default Bulk Endpoint": f"{len(body['records'])} events were inserted"}}


class Jira(Vendor):
    authorization = "Bearer jira"

    def answer(self, method, path, body):
        issue = re.fullmatch(r"/rest/api/2/issue/OPS-(\d+)/transitions", path)
        if path == "/rest/api/2/search":
            has_only(body, {"jql": 2000, "fields": list, "maxResults": int_type, "startAt": int_type}, ("jql",))
            key = re.fullmatch('project = "OPS" AND labels = "(fw1-[0-9a-f]{32})" AND statusCategory != Done',
                               body["jql"]).group(1)
            found = [i for i, one in enumerate(self.opened, 1) if one == key and key not in self.closed]
            return 200, {"issues": [{"key": f"OPS-{i}"} for i in found[:1]], "total": len(found)}
        if path == "/rest/api/2/issue":
            has_only(body, {"fields": dict}, ("fields",))
            has_only(body["fields"], {"project": dict, "issuetype": dict, "summary": 254, "description": 32767,
                                      "labels": list}, ("project", "issuetype", "summary"))
            demand("\n" not in body["fields"]["summary"], "a summary is one line")
            demand(all(" " not in label for label in body["fields"]["labels"]), "labels have no blanks")
            return 201, {"id": "1", "key": f"OPS-{self.open(' '.join(body['fields']['labels']))}"}
        if re.fullmatch(r"/rest/api/2/issue/OPS-\d+/comment", path):
            has_only(body, {"body": 32767}, ("body",))
            return 201, {"id": "10000"}
        asked = re.fullmatch(r"/rest/api/2/issue/OPS-(\d+)\?fields=status", path)
        if asked and method == "GET":
            over = self.opened[int(asked.group(1)) - 1] in self.closed
            return 200, {"fields": {"status": {"statusCategory": {"key": "done" if over else "new"}}}}
        demand(issue, f"{method} {path}")
        if method == "GET":
            return 200, {"transitions": [{"id": "11", "name": "In progress"}, {"id": "31", "name": "Done"}]}
        demand(body == {"transition": {"id": "31"}}, f"{body}")
        self.close(int(issue.group(1)))
        return 204, {}


class Desks:
    """All of them behind one port, each below a path of its own; or by what they are asked for."""

    def __init__(self, **vendors):
        self.vendors, self.mistakes, self.lock = vendors, [], threading.Lock()
        desks = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self):
                text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                status, headers, answer = desks.ask(self.command, self.path, self.headers, text)
                data = json.dumps(answer).encode() if status != 204 else b""
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = handle_one

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ask(self, method, path, headers, text):
        name, _, rest = path[1:].partition("/")
        with self.lock:
            vendor = self.vendors[name]
            if vendor.moods:
                status, more = vendor.moods.pop(0)
                return status, more, {}
            if not vendor.is_believed(headers):
                return 401, {}, {}
            try:
                form = "urlencoded" in headers.get("Content-Type", "")
                body = dict(urllib.parse.parse_qsl(text)) if form else json.loads(text) if text else None
                status, answer = vendor.answer(method, "/" + rest, body)
                return status, {}, answer
            except (Mistake, ValueError, KeyError, AttributeError, TypeError) as why:
                self.mistakes.append(f"{name}: {why!r}")
                return 400, {}, {}

    def close(self):
        self.server.shutdown()
