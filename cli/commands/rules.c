/* SPDX-License-Identifier: Apache-2.0 */
/* Rule files and their tests, read here: no collector is asked. */
#include "cli.h"
#include "report.h"

enum status command_rules_check(struct cli *cli, char **args, int n_args)
{
	return rules_check(args, (size_t)n_args, cli->settings.json, &cli->screen.out)
		? STATUS_BAD_NEWS
		: STATUS_WELL;
}

enum status command_rules_test(struct cli *cli, char **args, int n_args)
{
	return rules_test(args, (size_t)n_args, cli->settings.json, &cli->screen.out)
		? STATUS_BAD_NEWS
		: STATUS_WELL;
}
