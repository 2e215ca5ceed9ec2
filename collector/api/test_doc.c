/* SPDX-License-Identifier: Apache-2.0 */
/* docs/http-api.md holds the table of routes as it is built from the routes
 * themselves; when they differ, the table that belongs there is printed. */
#include <stdio.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>

#include "parts.h"

static void write_table(struct fw_buf *out)
{
	fw_buf_puts(out,
		"| method | path | role | supplier | parameters | answer |\n"
		"| --- | --- | --- | --- | --- | --- |\n");
	for (const struct route *r = routes; r->method; r++)
		fw_buf_printf(out, "| %s | `%s` | %s | %s | %s | %s |\n", r->method, r->path,
			access_names[r->access], scope_names[r->scope], r->params, r->help);
}

int main(int argc, char **argv)
{
	struct fw_buf table = {0}, doc = {0};
	struct fw_err err;
	if (argc != 2 || fw_file_read(argv[1], 1u << 20, &doc, &err) < 0) {
		printf("1..1\nnot ok 1 - the document can be read: %s\n",
			argc == 2 ? err.text : "no file given");
		return 1;
	}
	write_table(&table);
	bool same = strstr((const char *)doc.data, (const char *)table.data) != NULL;
	printf("1..1\n%s 1 - docs/http-api.md has the routes as they are\n",
		same ? "ok" : "not ok");
	if (!same)
		fputs((const char *)table.data, stderr);
	fw_buf_done(&table);
	fw_buf_done(&doc);
	return !same;
}
