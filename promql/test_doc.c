/* SPDX-License-Identifier: Apache-2.0 */
/* docs/promql.md holds the table of functions as it is built from the functions
 * themselves; when they differ, the table that belongs there is printed. */
#include <stdio.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>

#include "functions.h"

static void write_table(struct fw_buf *out)
{
	size_t n;
	const struct promql_function *functions = promql_functions(&n);
	fw_buf_puts(out, "| function | what it gives |\n| --- | --- |\n");
	for (size_t i = 0; i < n; i++)
		fw_buf_printf(out, "| `%s` | %s |\n", functions[i].signature, functions[i].help);
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
	printf("1..1\n%s 1 - docs/promql.md has the functions as they are\n",
		same ? "ok" : "not ok");
	if (!same)
		fputs((const char *)table.data, stderr);
	fw_buf_done(&table);
	fw_buf_done(&doc);
	return !same;
}
