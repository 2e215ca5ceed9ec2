/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "alert.h"
#include "enrol.h"
#include "estate.h"
#include "parts.h"

/* What a token's role may reach. A supplier sees what a viewer does, of its own hosts
 * alone; a join token is for agents. */
static const int reach[] = {
	[ROLE_VIEWER] = ACCESS_VIEWER,
	[ROLE_SUPPLIER] = ACCESS_VIEWER,
	[ROLE_ENGINEER] = ACCESS_ENGINEER,
	[ROLE_ADMIN] = ACCESS_ADMIN,
	[ROLE_JOIN] = ACCESS_ANYONE,
	[ROLE_WRITER] = ACCESS_ANYONE,
};

/* A writer's token is made to lie on other machines: it can write, and read nothing. */
static bool may_ask(enum enrol_role role, enum access access)
{
	return reach[role] >= (int)access || (role == ROLE_WRITER && access == ACCESS_WRITER);
}

static const char *header(const struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* The token of a request, in its arena, or NULL. */
static const char *find_token(struct request *r)
{
	static const char bearer[] = "Bearer ";
	const char *value = header(r, MHD_HTTP_HEADER_AUTHORIZATION);
	if (value && strncasecmp(value, bearer, sizeof bearer - 1) == 0)
		return fw_arena_strdup(&r->arena, value + sizeof bearer - 1);
	char *password = NULL;
	char *user = MHD_basic_auth_get_username_password(r->connection, &password);
	const char *token = password ? fw_arena_strdup(&r->arena, password) : NULL;
	MHD_free(user);
	MHD_free(password);
	return token;
}

/* Without tokens only this machine may ask, and a page of a stranger that a
 * browser here has open is kept out by the name it must have used. */
static int check_local(struct request *r)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
	const char *host = header(r, MHD_HTTP_HEADER_HOST);
	for (size_t i = 0; host && i < sizeof names / sizeof *names; i++) {
		size_t length = strlen(names[i]);
		if (strncasecmp(host, names[i], length) == 0 &&
			(!host[length] || host[length] == ':'))
			return 0;
	}
	request_fail(r, 403, "forbidden",
		"without tokens this answers to the names localhost, 127.0.0.1 and [::1] only");
	return -EACCES;
}

/* A page from elsewhere may not change anything here; what a viewer may ask changes nothing,
 * by whatever method it comes. */
static int check_origin(struct request *r)
{
	const char *host = header(r, MHD_HTTP_HEADER_HOST);
	if (r->route->access == ACCESS_VIEWER || !r->origin || api_cors_origin(r))
		return 0;
	const char *name = strstr(r->origin, "://");
	if (name && host && strcasecmp(name + 3, host) == 0)
		return 0;
	request_fail(r, 403, "forbidden", "a page of another origin may not ask this");
	return -EACCES;
}

static int check_token(struct request *r)
{
	const char *token = find_token(r);
	struct enrol_caller caller;
	if (!token ||
		enrol_token_caller(
			api_config(r->api)->enrol, token, r->now_ms, &r->arena, &caller) < 0) {
		request_fail(r, 401, "unauthorized", "%s",
			token ? "this token is not known, was revoked or has expired"
			      : "a token is needed: Authorization: Bearer TOKEN, or TOKEN as the password of basic authentication");
		return -EACCES;
	}
	r->who = caller.who;
	r->reach = (enum access)reach[caller.role];
	if (!may_ask(caller.role, r->route->access))
		request_fail(r, 403, "forbidden",
			"a token of role %s may not ask this: it takes %s",
			enrol_role_names[caller.role], access_names[r->route->access]);
	else if (caller.role == ROLE_SUPPLIER && r->route->scope == SCOPE_CLOSED)
		request_fail(r, 403, "forbidden",
			"a token of role supplier may not ask this: it is about all hosts at once");
	else if (caller.role == ROLE_SUPPLIER)
		estate_enter(r, caller.supplier);
	return r->status ? -EACCES : 0;
}

/* Which feeds there are is nobody's who has not the token of one. */
static int check_reader(struct request *r)
{
	const char *token = find_token(r);
	struct fw_err err;
	if (token && alert_feed_admit(api_config(r->api)->alerts, r->path_value, token, &err) == 0)
		return 0;
	request_fail(r, 401, "unauthorized",
		"the token of a feed of type pull is needed: Authorization: Bearer TOKEN, or TOKEN as the password of basic authentication");
	return -EACCES;
}

/* A desk is another firm's: it has a token of its own, for its feed alone. */
static bool is_desk(struct request *r)
{
	const char *token = r->route->access == ACCESS_DESK ? find_token(r) : NULL;
	struct fw_err err;
	return token &&
		alert_desk_admit(api_config(r->api)->alerts, r->path_value, token, &err) == 0;
}

int auth_check(struct request *r)
{
	r->who = "someone on this machine";
	r->reach = ACCESS_ADMIN;
	if (r->route->access == ACCESS_ANYONE)
		return 0;
	if (r->route->access == ACCESS_READER)
		return check_reader(r);
	if (check_origin(r) < 0)
		return -EACCES;
	r->is_desk = is_desk(r);
	if (r->is_desk) {
		r->who = fw_arena_format(&r->arena, "feed %s", r->path_value);
		r->reach = ACCESS_ANYONE;
		return 0;
	}
	return api_config(r->api)->auth ? check_token(r) : check_local(r);
}
