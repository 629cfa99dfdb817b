/* The commit that this program was built from. */
#ifndef DV_CLI_COMMIT_H
#define DV_CLI_COMMIT_H

/* Gives "0a1b2c3d4e5f", with "-dirty" if sources had been changed, or "unknown" if the sources were
   no checkout. */
const char *dv_commit(void);

#endif
