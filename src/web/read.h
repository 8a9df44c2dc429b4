#ifndef WEB_READ_H
#define WEB_READ_H

#include "web/request.h"

/* The endpoints that only read: contract section 8. */
void read_operation(struct request *rq);
void read_ctt(struct request *rq);
void read_ntt(struct request *rq);
void read_lov(struct request *rq);
void read_openapi(struct request *rq);
void read_healthz(struct request *rq);
void read_readyz(struct request *rq);

/* The health of cttd: web/health.c. They also answer without the database. */
void read_metrics(struct request *rq);
void read_health(struct request *rq);

/* Page by page: web/list.c. */
void list_ctts(struct request *rq);
void list_ntts(struct request *rq);
void list_ntt_ctts(struct request *rq);
void list_operations(struct request *rq);
void list_audit(struct request *rq);
void list_cpe_history(struct request *rq);

#endif
