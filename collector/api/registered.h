/* What the register says of one host, as part of its page. */
#pragma once

struct json;
struct registry;
struct store_host;

/* The member "register". */
void registered_write(
	struct json *j, const struct registry *registry, const struct store_host *host);
