/* SPDX-License-Identifier: Apache-2.0 */
#include "library.h"

#include <stdlib.h>

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

/* It logs to standard error from the start, and again once it has read its options. */
static void start(const char *application, const char *persistent)
{
	setenv("MIBS", "", 1);
	set_persistent_directory(persistent);
	snmp_disable_log();
	init_snmp(application);
	snmp_disable_log();
}

void library_start(const char *application)
{
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	start(application, "/dev/null");
}

void library_start_engine(const char *application, const char *folder)
{
	setenv("SNMPCONFPATH", folder, 1);
	start(application, folder);
	snmp_store(application);
}
