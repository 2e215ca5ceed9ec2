/* How net-snmp is started: once in a process, before anything of it is used. */
#pragma once

/* It reads no files, no MIBs, and keeps nothing. */
void library_start(const char *application);
/* The same, but its engine lives in a folder of its own: how often it was started is what
 * version 3 goes by, and is written down at once. */
void library_start_engine(const char *application, const char *folder);
