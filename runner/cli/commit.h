/* What this program was built from. */
#ifndef DV_CLI_COMMIT_H
#define DV_CLI_COMMIT_H

/* "0a1b2c3d4e5f", with "-dirty" where sources had been changed; "unknown": not from a checkout. */
const char *dv_commit(void);

#endif
