/*
 * store/sql.c - the text of every statement
 *
 * Most take JSON texts as parameters, and serve one item or a thousand:
 * JSON_TABLE turns arrays into rows, in their order, and STRAIGHT_JOIN keeps
 * that order for the locks. (A text for each table, for each JSON_TABLE reads
 * its text from end to end.) A statement that ends in COMMIT is a whole
 * transaction, or its second half: one round trip either way.
 *
 * JSON has its price, and an UPDATE of a join goes by a temporary table: so what
 * one item changes, the most of all, has a form without. "?a" is a parameter's
 * name (store/db.h); it stands in the statements themselves, for the server
 * writes the values of a block's variables into the text of each statement.
 *
 * Order of locks, everywhere: operation, ctt (ids rising), ntt (ids rising).
 * A hot NTT's row is taken as late as can be. The one reader that holds a ctt
 * and looks at operation does not lock it.
 */
#include "store/sql.h"

#define ROWS_OF(doc, path, columns)                                          \
	" JSON_TABLE(" doc ",'" path "' COLUMNS(" columns ")) x "
#define JSON_ROWS(path, columns) ROWS_OF("j", path, columns)
#define ID_AT(path)    "id BIGINT UNSIGNED PATH '" path "'"
#define OP_ID_AT(path) "id VARCHAR(64) CHARACTER SET ascii PATH '" path "'"
#define TAKES(doc)                                                           \
	"DECLARE " doc " LONGTEXT CHARACTER SET utf8mb4 DEFAULT ?; "
#define BEGIN_WITH_J  "BEGIN NOT ATOMIC " TAKES("j")
#define IF_ANY(n)     " IF " n " THEN "
#define END_IF        " END IF;"
#define NOW           "UTC_TIMESTAMP(3)"
/* a later version's operations are left to it */
#define IS_OURS(o)                                                           \
	o ".kind IN('LINK','UNLINK','RESOLVE','CPE_UPDATE')"
#define IN_MS(column) "TIMESTAMPADD(MICROSECOND," column "*1000," NOW ")"
#define ABANDONED(o)                                                         \
	"(" o ".owner IS NULL OR IS_FREE_LOCK(CONCAT('cttd:'," o ".owner))=1)"
#define UTC(column)                                                          \
	"CONCAT(LEFT(DATE_FORMAT(" column ",'%Y-%m-%dT%H:%i:%s.%f'),23),'Z')"

/* what model/ticket.h knows of a ticket; store/journal.c reads them so */
#define CTT_COLUMNS                                                          \
	"c.id,c.ticket_no,c.status,c.source,c.ntt_id,c.ntt_ticket_no"
#define NTT_COLUMNS "n.id,n.ticket_no,n.ctt_count"
#define AUDIT_COLUMNS                                                        \
	"l.id,l.action,l.outcome,l.actor,l.request_id,l.operation_id,"       \
	"l.detail," UTC("l.created_at")

/*
 * A row as it is written: F(table's letter, number of the cell, column, type,
 * member). What one item changes goes by cells (?Z), for that is cheaper than
 * JSON. INSERT_... add what is the same for all.
 */
#define AS_COLUMN(t, n, column, type, member) column ","
#define AS_CELL(t, n, column, type, member)   "?" t n ","
#define AS_PATH(t, n, column, type, member) \
	column " " type " PATH '$." member "',"
#define AS_VALUE(t, n, column, type, member)  "x." column ","

/* news: new journal rows. Only the open ones have an owner. */
#define NEWS(F)                                                              \
	F("a", "0", "id", "VARCHAR(64) CHARACTER SET ascii", "id")           \
	F("a", "1", "kind", "VARCHAR(16)", "kind")                           \
	F("a", "2", "state", "VARCHAR(16)", "state")                         \
	F("a", "3", "ctt_id", "BIGINT UNSIGNED", "cttId")                    \
	F("a", "4", "ntt_id", "BIGINT UNSIGNED", "nttId")                    \
	F("a", "5", "partner", "VARCHAR(8)", "partner")                      \
	F("a", "6", "actor", "VARCHAR(128)", "actor")                        \
	F("a", "7", "request_id", "VARCHAR(64)", "requestId")                \
	F("a", "8", "remark", "TEXT", "remark")                              \
	F("a", "9", "intent", "JSON", "intent")                              \
	F("a", "10", "error_code", "VARCHAR(64)", "error")                   \
	F("a", "11", "owner", "VARCHAR(64)", "owner")                        \
	F("a", "12", "idempotency_id", "BIGINT UNSIGNED", "idempotencyId")   \
	F("a", "13", "item_index", "INT UNSIGNED", "index")                  \
	F("a", "14", "steps", "JSON", "steps")                               \
	F("a", "15", "partner_call", "JSON", "call")                         \
	F("a", "16", "mends", "BOOLEAN", "mends")
#define INTO_OPERATION                                                       \
	"INSERT INTO operation(" NEWS(AS_COLUMN)                             \
	"next_try_at,created_at,updated_at) "
#define INSERT_OPERATIONS                                                    \
	"IF ?A AND ?Z THEN "                                                 \
	INTO_OPERATION "VALUES(" NEWS(AS_CELL) NOW "," NOW "," NOW ");"      \
	"ELSEIF ?A THEN "                                                    \
	INTO_OPERATION "SELECT " NEWS(AS_VALUE) NOW "," NOW "," NOW " FROM"  \
	ROWS_OF("?a", "$[*]", NEWS(AS_PATH) "n FOR ORDINALITY") ";"          \
	END_IF

/* links: id, nttId, nttTicketNo: links made or taken away */
#define UPDATE_LINKS                                                         \
	"IF ?B AND ?Z THEN "                                                 \
	"UPDATE ctt c SET c.ntt_id=?b1,c.ntt_ticket_no=?b2,c.updated_at=" NOW  \
	" WHERE c.id=CAST(?b0 AS UNSIGNED);"                                 \
	"ELSEIF ?B THEN "                                                    \
	"UPDATE" ROWS_OF("?b", "$[*]", ID_AT("$.id") ","                     \
		"ntt_id BIGINT UNSIGNED PATH '$.nttId',"                     \
		"ntt_no VARCHAR(64) PATH '$.nttTicketNo'")                   \
	"STRAIGHT_JOIN ctt c ON c.id=x.id SET c.ntt_id=x.ntt_id,"            \
	"c.ntt_ticket_no=x.ntt_no,c.updated_at=" NOW ";"                     \
	END_IF

/* ops: the operations' new states, and the history of their steps; all or
 * none, and only by who owns them. F(number of the cell, name, type, member) */
#define OPS(F)                                                               \
	F("0", "id", "VARCHAR(64) CHARACTER SET ascii", "id")                \
	F("1", "was", "VARCHAR(16)", "was")                                  \
	F("2", "state", "VARCHAR(16)", "state")                              \
	F("3", "error_code", "VARCHAR(64)", "error")                         \
	F("4", "tries", "INT UNSIGNED", "tries")                             \
	F("5", "next_ms", "BIGINT", "nextMs")                                \
	F("6", "why", "TEXT", "why")                                         \
	F("7", "steps", "JSON", "steps")                                     \
	F("8", "doubt_ms", "BIGINT", "doubtMs")                              \
	F("9", "accepted", "BOOLEAN", "accepted")                            \
	F("10", "refusals", "INT UNSIGNED", "refusals")                      \
	F("11", "bodies", "INT UNSIGNED", "bodies")                          \
	F("12", "body_hash", "BIGINT UNSIGNED", "bodyHash")                  \
	F("13", "assumed", "BOOLEAN", "assumed")                             \
	F("14", "owner", "VARCHAR(64) CHARACTER SET ascii", "owner")
#define OPS_PATH(n, name, type, member) \
	name " " type " PATH '$." member "',"
#define SET_OPERATION(state, error, tries, next_ms, why, steps, doubt_ms,    \
		      accepted, refusals, bodies, body_hash, assumed)        \
	" SET o.state=" state ",o.error_code=" error ",o.steps=" steps ","   \
	"o.tries=" tries ",o.next_try_at=" IN_MS(next_ms) ","                \
	"o.last_error=LEFT(" why ",255),o.owner=NULL,"                       \
	"o.doubted_at=" IN_MS("-" doubt_ms) ",o.accepted=" accepted ","      \
	"o.refusals=" refusals ",o.bodies=" bodies ",o.body_hash=" body_hash \
	",o.assumed=" assumed ",o.updated_at=" NOW
#define UPDATE_OPERATIONS                                                    \
	"IF ?Z THEN "                                                        \
	"UPDATE operation o" SET_OPERATION("?c2", "?c3", "?c4", "?c5",       \
		"?c6", "?c7", "?c8", "?c9", "?c10", "?c11", "?c12", "?c13")  \
	" WHERE o.id=?c0 AND o.state=?c1 AND o.owner=?c14;"                  \
	"ELSE "                                                              \
	"UPDATE" ROWS_OF("?c", "$[*]", OPS(OPS_PATH) "n FOR ORDINALITY")     \
	"STRAIGHT_JOIN operation o ON o.id=x.id"                             \
	SET_OPERATION("x.state", "x.error_code", "x.tries", "x.next_ms",     \
		      "x.why", "x.steps", "x.doubt_ms", "x.accepted",        \
		      "x.refusals", "x.bodies", "x.body_hash", "x.assumed")  \
	" WHERE o.state=x.was AND o.owner=x.owner; END IF;"

/* statuses [{"id","op","status"}]: what a resolve makes of the CTT; not of one
 * that was closed or cancelled meanwhile, and the trace says so */
#define STATUS_ROWS                                                          \
	ROWS_OF("?d", "$[*]", ID_AT("$.id") ","                              \
		"op VARCHAR(64) CHARACTER SET ascii PATH '$.op',"            \
		"status VARCHAR(32) PATH '$.status'")
#define UPDATE_STATUSES                                                      \
	IF_ANY("?D")                                                         \
	"UPDATE" STATUS_ROWS "STRAIGHT_JOIN operation o ON o.id=x.op"        \
	" STRAIGHT_JOIN ctt c ON c.id=x.id SET o.steps=JSON_ARRAY_APPEND("   \
	"o.steps,CONCAT(SUBSTRING_INDEX(JSON_UNQUOTE(JSON_SEARCH(o.steps,"   \
	"'one','save_activity')),']',1),']'),CONCAT('the CTT was ',c.status,"\
	"' meanwhile, and stays so'))"                                       \
	" WHERE c.status IN('Closed','Cancel');"                             \
	"UPDATE" STATUS_ROWS "STRAIGHT_JOIN ctt c ON c.id=x.id"              \
	" SET c.status=x.status,c.resolved_at=" NOW ",c.updated_at=" NOW     \
	" WHERE c.status NOT IN('Closed','Cancel');"                         \
	END_IF

/* activities, and their notes [{"operationId","cttId",...}] */
#define INSERT_ACTIVITIES                                                    \
	IF_ANY("?E")                                                         \
	"INSERT INTO ctt_activity(ctt_id,type,status,cause_code,disposition,"\
	"resolution_code,delay_reason,created_by,created_at,operation_id)"   \
	" SELECT x.id,x.type,x.status,x.cause_code,x.disposition,"           \
	"x.resolution_code,x.delay_reason,x.actor," NOW ",x.operation_id FROM"\
	ROWS_OF("?e", "$[*]", ID_AT("$.cttId") ","                           \
		"type VARCHAR(64) PATH '$.type',"                            \
		"status VARCHAR(32) PATH '$.status',"                        \
		"cause_code VARCHAR(64) PATH '$.causeCode',"                 \
		"disposition VARCHAR(64) PATH '$.disposition',"              \
		"resolution_code VARCHAR(64) PATH '$.resolutionCode',"       \
		"delay_reason VARCHAR(64) PATH '$.delayReason',"             \
		"actor VARCHAR(128) PATH '$.actor',"                         \
		"operation_id VARCHAR(64) PATH '$.operationId'") ";"         \
	END_IF                                                               \
	IF_ANY("?F")                                                         \
	"INSERT INTO activity_note(ctt_id,activity_id,text,author,created_at)"\
	" SELECT a.ctt_id,a.id,x.text,a.created_by," NOW " FROM"             \
	ROWS_OF("?f", "$[*]", OP_ID_AT("$.operationId") ","                  \
		"text TEXT PATH '$.text'")                                   \
	"STRAIGHT_JOIN ctt_activity a ON a.operation_id=x.id;"               \
	END_IF

/* elements [{"id","cttId", the five facts, "before","after",...}]: the CPE,
 * its copy for reporting, and its history */
#define ELEMENT_ROWS                                                         \
	ROWS_OF("?g", "$[*]", ID_AT("$.id") ","                              \
		"ctt_id BIGINT UNSIGNED PATH '$.cttId',"                     \
		"manufacturer VARCHAR(64) PATH '$.after.manufacturer',"      \
		"model VARCHAR(64) PATH '$.after.model',"                    \
		"ip_address VARCHAR(45) PATH '$.after.ipAddress',"           \
		"bandwidth_mbps INT UNSIGNED PATH '$.after.bandwidthMbps',"  \
		"port VARCHAR(32) PATH '$.after.port',"                      \
		"before_json JSON PATH '$.before',"                          \
		"after_json JSON PATH '$.after',"                            \
		"actor VARCHAR(128) PATH '$.actor',"                         \
		"operation_id VARCHAR(64) PATH '$.operationId'")
#define UPDATE_ELEMENTS                                                      \
	IF_ANY("?G")                                                         \
	"UPDATE" ELEMENT_ROWS "STRAIGHT_JOIN network_element e ON e.id=x.id" \
	" SET e.manufacturer=x.manufacturer,e.model=x.model,"                \
	"e.ip_address=x.ip_address,e.bandwidth_mbps=x.bandwidth_mbps,"       \
	"e.port=x.port,e.updated_at=" NOW ";"                                \
	"INSERT INTO corp_data_temp(ctt_id,network_element_id,manufacturer," \
	"model,ip_address,bandwidth_mbps,port,updated_at) SELECT x.ctt_id,"  \
	"x.id,x.manufacturer,x.model,x.ip_address,x.bandwidth_mbps,x.port,"  \
	NOW " FROM" ELEMENT_ROWS "ON DUPLICATE KEY UPDATE ctt_id=x.ctt_id,"  \
	"manufacturer=x.manufacturer,model=x.model,ip_address=x.ip_address," \
	"bandwidth_mbps=x.bandwidth_mbps,port=x.port,updated_at=" NOW ";"    \
	"INSERT INTO cpe_history(ctt_id,network_element_id,before_json,"     \
	"after_json,actor,operation_id,created_at) SELECT x.ctt_id,x.id,"    \
	"x.before_json,x.after_json,x.actor,x.operation_id," NOW " FROM"     \
	ELEMENT_ROWS ";"                                                     \
	END_IF

/* jobs: type, dedupeKey, payload, delayMs until they are due */
#define INTO_JOB                                                             \
	"INSERT INTO job(type,dedupe_key,payload,run_at,since,created_at,"   \
	"updated_at) "
#define JOB(type, key, payload, delay)                                       \
	"(?h" type ",?h" key ",?h" payload "," IN_MS("?h" delay) "," NOW "," \
	NOW "," NOW ")"
#define JOB_1ST JOB("0", "1", "2", "3")
#define JOB_2ND JOB("4", "5", "6", "7")
#define JOB_3RD JOB("8", "9", "10", "11")
#define INSERT_JOBS                                                          \
	"IF ?Z AND ?H=3 THEN "                                               \
	INTO_JOB "VALUES" JOB_1ST "," JOB_2ND "," JOB_3RD ";"                \
	"ELSEIF ?Z AND ?H=2 THEN "                                           \
	INTO_JOB "VALUES" JOB_1ST "," JOB_2ND ";"                            \
	"ELSEIF ?Z AND ?H=1 THEN "                                           \
	INTO_JOB "VALUES" JOB_1ST ";"                                        \
	"ELSEIF ?H THEN "                                                    \
	INTO_JOB "SELECT x.type,x.dedupe_key,x.payload," IN_MS("x.delay_ms") \
	"," NOW "," NOW "," NOW " FROM"                                      \
	ROWS_OF("?h", "$[*]", "type VARCHAR(64) PATH '$.type',"              \
		"dedupe_key VARCHAR(128) PATH '$.dedupeKey',"                \
		"payload JSON PATH '$.payload',"                             \
		"delay_ms BIGINT PATH '$.delayMs'") ";"                      \
	END_IF

/* counts: id, by: late, for every link of a mass outage waits for this
 * row; but the trails of the NTTs are theirs who hold it (by 0: only that) */
#define COUNTED(by)                                                          \
	"GREATEST(0,CAST(n.ctt_count AS SIGNED)+" by "),"                    \
	"n.updated_at=IF(" by "," NOW ",n.updated_at)"
#define UPDATE_COUNTS                                                        \
	"IF ?J AND ?Z THEN "                                                 \
	"UPDATE ntt n SET n.ctt_count=@count:=" COUNTED("CAST(?j1 AS SIGNED)")\
	" WHERE n.id=CAST(?j0 AS UNSIGNED);"                                 \
	"ELSEIF ?J THEN "                                                    \
	"UPDATE" ROWS_OF("?j", "$[*]",                                       \
			 ID_AT("$.id") ",`by` INT PATH '$.by'")              \
	"STRAIGHT_JOIN ntt n ON n.id=x.id SET n.ctt_count="                  \
	COUNTED("x.`by`") ";"                                                \
	END_IF

/* audits: see put_audits. One ticket's rows are chained (store/audit.h). The
 * last hashes are read first, 64 places for each row: an INSERT that reads its
 * own table goes by a temporary one on disk. One item's are of two tickets. */
#define AUDITS(F)                                                            \
	F("i", "0", "entity_id", "BIGINT UNSIGNED", "id")                    \
	F("i", "1", "entity_type", "VARCHAR(8)", "type")                     \
	F("i", "2", "action", "VARCHAR(16)", "action")                       \
	F("i", "3", "outcome", "VARCHAR(16)", "outcome")                     \
	F("i", "4", "actor", "VARCHAR(128)", "actor")                        \
	F("i", "5", "request_id", "VARCHAR(64)", "requestId")                \
	F("i", "6", "operation_id", "VARCHAR(64)", "operationId")            \
	F("i", "7", "detail", "JSON", "detail")
#define AS_SECOND(t, n, column, type, member) "?" t "1" n ","
#define INTO_AUDIT \
	"INSERT INTO audit_log(" AUDITS(AS_COLUMN) "created_at,hash) "
#define LAST_HASH(entity, id)                                                \
	"COALESCE((SELECT p.hash FROM audit_log p WHERE p.entity_type="      \
	entity " AND p.entity_id=" id " ORDER BY p.id DESC LIMIT 1),'')"
#define HASH(last, seal) "SHA2(CONCAT(" last "," seal "," NOW "),256)"
#define HASH_OF_1ST LAST_HASH("?i1", "CAST(?i0 AS UNSIGNED)")
#define HASH_OF_2ND LAST_HASH("?i11", "CAST(?i10 AS UNSIGNED)")
#define AUDIT_1ST   "(" AUDITS(AS_CELL) NOW "," HASH("@last", "?i9") ")"
#define AUDIT_2ND   "(" AUDITS(AS_SECOND) NOW "," HASH("@hash", "?i19") ")"
#define INSERT_AUDITS                                                        \
	"IF ?Z AND ?I=2 THEN "                                               \
	"SELECT " HASH_OF_1ST "," HASH_OF_2ND " INTO @last,@hash;"           \
	INTO_AUDIT "VALUES" AUDIT_1ST "," AUDIT_2ND ";"                      \
	"ELSEIF ?Z AND ?I=1 THEN "                                           \
	"SELECT " HASH_OF_1ST " INTO @last;"                                 \
	INTO_AUDIT "VALUES" AUDIT_1ST ";"                                    \
	"ELSEIF ?I THEN "                                                    \
	"SELECT GROUP_CONCAT(RPAD(IF(x.`first`,"                             \
	LAST_HASH("x.entity_type", "x.id") ",''),64,' ') ORDER BY x.n"       \
	" SEPARATOR ''),'' INTO @last,@hash FROM"                            \
	ROWS_OF("?i", "$[*]", "n FOR ORDINALITY,"                            \
		ID_AT("$.id") ",entity_type VARCHAR(8) PATH '$.type',"       \
		"`first` BOOLEAN PATH '$.first'") ";"                        \
	INTO_AUDIT "SELECT " AUDITS(AS_VALUE) NOW ",@hash:="                 \
	HASH("IF(x.`first`,RTRIM(SUBSTR(@last,64*x.n-63,64)),@hash)",        \
	     "x.seal") " FROM"                                               \
	ROWS_OF("?i", "$[*]", AUDITS(AS_PATH) "n FOR ORDINALITY,"            \
		"`first` BOOLEAN PATH '$.first',"                            \
		"seal CHAR(64) CHARACTER SET ascii PATH '$.seal'") ";"       \
	END_IF

#define SELECT_COUNTS                                                        \
	"IF ?Z THEN"                                                         \
	" SELECT 1,?j0,@count; "                                             \
	"ELSE"                                                               \
	" SELECT 1,NULL,NULL UNION ALL SELECT 1,n.id,n.ctt_count FROM"       \
	ROWS_OF("?j", "$[*]", ID_AT("$.id"))                                 \
	"STRAIGHT_JOIN ntt n ON n.id=x.id;"                                  \
	END_IF
#define SELECT_ACTIVITIES                                                    \
	IF_ANY("?E")                                                         \
	"SELECT x.id,a.id,t.id,c.status FROM"                                \
	ROWS_OF("?e", "$[*]", OP_ID_AT("$.operationId"))                     \
	"STRAIGHT_JOIN ctt_activity a ON a.operation_id=x.id"                \
	" LEFT JOIN ctt c ON c.id=a.ctt_id"                                  \
	" LEFT JOIN activity_note t ON t.ctt_id=a.ctt_id"                    \
	" AND t.activity_id=a.id;"                                           \
	END_IF
#define SELECT_ELEMENTS                                                      \
	IF_ANY("?G")                                                         \
	"SELECT x.op,h.id,NULL,NULL FROM"                                    \
	ROWS_OF("?g", "$[*]", ID_AT("$.cttId") ","                           \
		"op VARCHAR(64) CHARACTER SET ascii PATH '$.operationId'")   \
	"STRAIGHT_JOIN cpe_history h ON h.ctt_id=x.id"                       \
	" AND h.operation_id=x.op;"                                          \
	"SELECT e.ctt_id," ELEMENT_COLUMNS " FROM"                           \
	ROWS_OF("?g", "$[*]", ID_AT("$.cttId"))                              \
	"STRAIGHT_JOIN network_element e ON e.ctt_id=x.id;"                  \
	END_IF

#define CLOSE_WITH(changes, answers)                                         \
	"BEGIN NOT ATOMIC START TRANSACTION;"                                \
	UPDATE_OPERATIONS                                                    \
	"IF ROW_COUNT()<>?C THEN ROLLBACK; SELECT 0; ELSE "                  \
	changes INSERT_JOBS UPDATE_COUNTS INSERT_AUDITS                      \
	"COMMIT; " SELECT_COUNTS answers                                     \
	"END IF; END"

/*
 * What LOAD... reads goes as one result set, for each costs a packet there and
 * back: its first column says what a row is, and rows are alike by NULLs. The
 * tickets are those of JSON texts, joined as x; or one of each, by its id.
 */
#define IDS_IN(doc) ROWS_OF(doc, "$[*]", ID_AT("$"))
#define THE_CTTS    IDS_IN("?a") "STRAIGHT_JOIN ctt c ON c.id=x.id"
#define THE_PAIRS                                                            \
	ROWS_OF("?c", "$[*]", "c BIGINT UNSIGNED PATH '$[0]',"               \
		"n BIGINT UNSIGNED PATH '$[1]'")                             \
	"STRAIGHT_JOIN operation o ON o.ctt_id=x.c AND o.ntt_id=x.n WHERE "
#define CTT_ID   "CAST(?e AS UNSIGNED)"
#define NTT_ID   "CAST(?f AS UNSIGNED)"
#define THE_PAIR " operation o WHERE o.ctt_id=" CTT_ID " AND o.ntt_id=" NTT_ID \
	" AND "

/* Locks the CTTs, first of all: what is read after them is as those left it
 * for whom this waited (READ COMMITTED, and the parts are read in turn). */
#define SELECT_CTTS(ctts, where)                                             \
	"(SELECT 'ctt'," CTT_COLUMNS ",c.external_sync,c.segment_group,"     \
	"c.partner_ref,NULL FROM" ctts where " FOR UPDATE)"

#define AND_OPEN(operations)                                                 \
	" UNION ALL SELECT 'open',o.open_ctt_id,o.id,o.kind,o.state,"        \
	ABANDONED("o") ",TIMESTAMPDIFF(MICROSECOND," NOW ",o.next_try_at)"   \
	" DIV 1000,NULL,NULL,NULL,NULL FROM" operations

#define AND_NTTS(ntts, where)                                                \
	" UNION ALL SELECT 'ntt'," NTT_COLUMNS ",w.id,w.order_no,w.status,"  \
	"n.partner_ref,n.status,NULL,NULL FROM"                              \
	ntts " LEFT JOIN work_order w ON w.ntt_id=n.id" where

/* what a pair went through of late */
#define AND_PAIRS(pairs)                                                     \
	" UNION ALL SELECT 'pair',o.ctt_id,o.ntt_id,o.kind,o.seq,"           \
	"TIMESTAMPDIFF(MICROSECOND," NOW ",o.updated_at+INTERVAL ?d SECOND)" \
	" DIV 1000,NULL,NULL,NULL,NULL,NULL FROM"                            \
	pairs "o.kind IN('LINK','UNLINK') AND o.state='SUCCEEDED'"           \
	" AND NOT o.mends AND o.updated_at>" NOW "-INTERVAL ?d SECOND"

#define AND_ACTIVITIES                                                       \
	" UNION ALL SELECT 'activity',a.ctt_id,a.id,a.type,a.status,"        \
	"a.cause_code,a.disposition,a.resolution_code,a.delay_reason,"       \
	"NULL,NULL FROM"                                                     \
	IDS_IN("?a") "STRAIGHT_JOIN ctt_activity a ON a.id="                 \
	"(SELECT MAX(b.id) FROM ctt_activity b WHERE b.ctt_id=x.id)"

/* also the NTTs to which the CTTs are linked */
#define AND_LINKED AND_NTTS(THE_CTTS " JOIN ntt n ON n.id=c.ntt_id", "")

#define LOAD_TICKETS(more_ntts)                                              \
	"START TRANSACTION;"                                                 \
	SELECT_CTTS(THE_CTTS, "")                                            \
	AND_OPEN(IDS_IN("?a") "STRAIGHT_JOIN operation o"                    \
		 " ON o.open_ctt_id=x.id")                                   \
	AND_NTTS(IDS_IN("?b") "STRAIGHT_JOIN ntt n ON n.id=x.id", "")        \
	more_ntts AND_PAIRS(THE_PAIRS)

#define LOAD_ONE                                                             \
	"START TRANSACTION;"                                                 \
	SELECT_CTTS(" ctt c", " WHERE c.id=" CTT_ID)                         \
	AND_OPEN(" operation o WHERE o.open_ctt_id=" CTT_ID)                 \
	AND_NTTS(" ntt n", " WHERE n.id=" NTT_ID) AND_PAIRS(THE_PAIR)

#define ELEMENT_COLUMNS                                                      \
	"e.id,e.name,e.access_type,e.manufacturer,e.model,e.ip_address,"     \
	"e.bandwidth_mbps,e.port," UTC("e.updated_at")

/* All that is read between this and COMMIT is of one moment. */
#define SNAPSHOT                                                             \
	"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;"                   \
	"START TRANSACTION WITH CONSISTENT SNAPSHOT,READ ONLY;"

/* What a list is asked for. A filter that is NULL is none. */
#define ASKED(name, type, member)                                            \
	"DECLARE " name " " type " DEFAULT JSON_VALUE(j,'$." member "');"
#define ASKED_TEXT(name, size, member)                                       \
	ASKED(name, "VARCHAR(" size ") CHARACTER SET utf8mb4", member)
#define ASKED_ID(name, member) ASKED(name, "BIGINT UNSIGNED", member)
#define ASKED_PAGE ASKED("m", "INT", "limit") ASKED_ID("a", "after")
/* A column's collation takes other texts for equal too. Its index finds them
 * all; of these only what is the same is meant. */
#define IS_EXACTLY(column, text)                                             \
	column "=" text " AND BINARY " column "=BINARY " text

/*
 * A page of tickets by rising id; or, of those that were changed since a time, by
 * the time of their last change. It reads not more than it shows, as far as an
 * index can do that: each status, and linked, is found in the order of ids, by
 * an index for each of them and for both, and each status in that of changes.
 * Several statuses are as many pages, of which the first rows are taken.
 * (Of what was changed, the others by linked are passed over.)
 * The beginning of a number is in no such order: what fewer than FEW numbers
 * begin with is found by the numbers, and sorted; what more begin with is looked
 * for on the way. That way is long where these stand together far from the
 * cursor, or few of them have the status, or the link, that is asked for and
 * many others have: no index is in the order of ids and of numbers.
 */
#define FEW "1000"
#define ASKED_TICKETS                                                        \
	ASKED_PAGE                                                           \
	ASKED_TEXT("q", "255", "q")                                          \
	ASKED_TEXT("e", "64", "ticketNo")                                    \
	ASKED_TEXT("s0", "32", "status[0]")                                  \
	ASKED_TEXT("s1", "32", "status[1]")                                  \
	ASKED_TEXT("s2", "32", "status[2]")                                  \
	ASKED_TEXT("s3", "32", "status[3]")                                  \
	ASKED_TEXT("s4", "32", "status[4]")                                  \
	ASKED_TEXT("s5", "32", "status[5]")                                  \
	ASKED_TEXT("s6", "32", "status[6]")                                  \
	ASKED_TEXT("s7", "32", "status[7]")                                  \
	ASKED("l", "INT", "linked")                                          \
	ASKED("u", "DATETIME(3)", "behindTime")                              \
	ASKED_ID("i", "behindId")                                            \
	"DECLARE few INT DEFAULT " FEW ";"                                   \
	"SET a=COALESCE(a,0),i=COALESCE(i,0),"                               \
	"u=COALESCE(u,JSON_VALUE(j,'$.updatedSince'));"
#define ALL_FILTERS                                                          \
	" AND(q IS NULL OR t.ticket_no LIKE q)"                              \
	" AND(s0 IS NULL OR t.status IN(s0,s1,s2,s3,s4,s5,s6,s7))"           \
	" AND(l IS NULL OR t.linked=l)"                                      \
	" AND t.id>a"
#define IDS_OF(name, index, where, order)                                    \
	"(SELECT t.id,t.updated_at FROM " name " t FORCE INDEX(" index ")"   \
	" WHERE " where ALL_FILTERS " ORDER BY " order "t.id LIMIT m)"
#define IDS_BY(name, index, where) IDS_OF(name, index, where, "")
#define IDS_BY_STATUS(name, index, where, order)                             \
	IDS_OF(name, index, "t.status=s0" where, order) " UNION "            \
	IDS_OF(name, index, "t.status=s1" where, order) " UNION "            \
	IDS_OF(name, index, "t.status=s2" where, order) " UNION "            \
	IDS_OF(name, index, "t.status=s3" where, order) " UNION "            \
	IDS_OF(name, index, "t.status=s4" where, order) " UNION "            \
	IDS_OF(name, index, "t.status=s5" where, order) " UNION "            \
	IDS_OF(name, index, "t.status=s6" where, order) " UNION "            \
	IDS_OF(name, index, "t.status=s7" where, order)                      \
	" ORDER BY " order "id LIMIT m"
#define CHANGED_SINCE "(t.updated_at>u OR t.updated_at=u AND t.id>i)"
#define BY_CHANGE     "updated_at,"
/* the order of a list, where it is found in another one */
#define IN_ORDER(t) "IF(u IS NULL,NULL," t ".updated_at),"
#define IDS_BY_NUMBER(name, where)                                           \
	IDS_OF(name, name "_ticket_no", where                                \
	       " AND(u IS NULL OR " CHANGED_SINCE ")", IN_ORDER("t"))
/* where the next page begins */
#define CURSOR(t)                                                            \
	"IF(u IS NULL," t ".id,CONCAT(" UTC(t ".updated_at") ",'-'," t ".id))"
#define LIST(name, show)                                                     \
	IF_ANY("e IS NULL AND q IS NOT NULL")                                \
	"SELECT COUNT(*) INTO few FROM(SELECT 1 FROM " name                  \
	" FORCE INDEX(" name "_ticket_no) WHERE ticket_no LIKE q"            \
	" LIMIT " FEW ") x;"                                                 \
	END_IF                                                               \
	"IF e IS NOT NULL THEN "                                             \
	show(IDS_BY_NUMBER(name, IS_EXACTLY("t.ticket_no", "e")))            \
	"ELSEIF few<" FEW " THEN "                                           \
	show(IDS_BY_NUMBER(name, "t.ticket_no LIKE q"))                      \
	"ELSEIF u IS NOT NULL AND s0 IS NOT NULL THEN "                      \
	show(IDS_BY_STATUS(name, name "_status_updated",                     \
			   " AND " CHANGED_SINCE, BY_CHANGE))                \
	"ELSEIF u IS NOT NULL THEN "                                         \
	show(IDS_OF(name, name "_updated", CHANGED_SINCE, BY_CHANGE))        \
	"ELSEIF s0 IS NULL AND l IS NULL THEN "                              \
	show(IDS_BY(name, "PRIMARY", "TRUE"))                                \
	"ELSEIF l IS NULL THEN "                                             \
	show(IDS_BY_STATUS(name, name "_status", "", ""))                    \
	"ELSEIF s0 IS NULL THEN "                                            \
	show(IDS_BY(name, name "_linked", "t.linked=l"))                     \
	"ELSE "                                                              \
	show(IDS_BY_STATUS(name, name "_status_linked", " AND t.linked=l", ""))\
	END_IF

/* How many CTTs are linked to ntt n, in the eyes of its count: a link whose
 * operation is open counts only when that is closed, although it is saved
 * already; an unlink the other way round. q: a quote, or two in a text. */
#define LINKED(q)                                                            \
	"((SELECT COUNT(*) FROM ctt c LEFT JOIN operation o"                 \
	" ON o.open_ctt_id=c.id AND o.kind=" q "LINK" q " AND NOT o.mends"   \
	" AND o.ntt_id=n.id WHERE c.ntt_id=n.id AND o.id IS NULL)+"          \
	"(SELECT COUNT(*) FROM operation o JOIN ctt c ON c.id=o.open_ctt_id" \
	" WHERE o.kind=" q "UNLINK" q " AND o.ntt_id=n.id AND NOT o.mends"    \
	" AND o.open_ctt_id IS NOT NULL AND c.ntt_id IS NULL))"

/* the detail of an audit row that an administrator adds */
#define MENDED "'{\"mended\":true}'"

/* the note of the activity of operation o */
#define MEND_NOTE                                                            \
	"CONCAT('INSERT INTO activity_note(ctt_id,activity_id,text,author,"  \
	"created_at) SELECT a.ctt_id,a.id,IF(o.kind=''RESOLVE'',o.remark,"   \
	"CONCAT_WS('': '',CONCAT(''Unlinked from NTT '',n.ticket_no),"       \
	"o.remark)),o.actor," NOW " FROM operation o"                        \
	" JOIN ctt_activity a ON a.operation_id=o.id"                        \
	" LEFT JOIN ntt n ON n.id=o.ntt_id WHERE o.id=',QUOTE(o.id),"        \
	"' AND(o.kind=''UNLINK'' OR o.remark IS NOT NULL);')"

#define SQL_TEXT(name, text) [SQL_##name] = {#name, text, false}
#define SQL_ROWS(name, text) [SQL_##name] = {#name, text, true}

const struct sql_statement sql_text[SQL__MAX] = {

/* {"ctt":[number...],"ntt":[number...]} -> id, number of each; twice. The
 * collation finds more than was asked for: compare the numbers. */
SQL_TEXT(TICKET_IDS,
	BEGIN_WITH_J
	"SELECT c.id,c.ticket_no FROM" JSON_ROWS("$.ctt[*]",
		"no VARCHAR(64) PATH '$'")
	"STRAIGHT_JOIN ctt c ON c.ticket_no=x.no;"
	"SELECT n.id,n.ticket_no FROM" JSON_ROWS("$.ntt[*]",
		"no VARCHAR(64) PATH '$'")
	"STRAIGHT_JOIN ntt n ON n.ticket_no=x.no;"
	"END"),

/*
 * a [ctt...], b [ntt...], ids rising; c [[ctt,ntt]...]; d seconds; of one CTT
 * and one NTT the ids e and f. Begins the transaction, locks the CTTs -> rows
 *   'ctt': the CTT
 *   'open': its open operation
 *   'ntt': the NTT, for each of its work orders once; or twice
 *   'pair': a link or an unlink of a pair in the last d seconds: its seq,
 *	and the milliseconds left
 * and as the name says, 'activity': the CTTs' latest (and the NTTs to which
 * they are linked); 'lov': the values that are allowed; 'element': the CTTs'
 * network elements.
 */
SQL_ROWS(LOAD,
	"BEGIN NOT ATOMIC "
	"IF ?e AND ?f THEN " LOAD_ONE "; ELSE " LOAD_TICKETS("") "; END IF; END"),
SQL_ROWS(LOAD_ACTIVITIES,
	"BEGIN NOT ATOMIC " LOAD_TICKETS(AND_LINKED) AND_ACTIVITIES "; END"),
SQL_ROWS(LOAD_LOV,
	"BEGIN NOT ATOMIC " LOAD_TICKETS("") AND_ACTIVITIES
	" UNION ALL SELECT 'lov',type,code,label,"
	"NULL,NULL,NULL,NULL,NULL,NULL,NULL FROM lov WHERE active; END"),
SQL_ROWS(LOAD_ELEMENTS,
	"BEGIN NOT ATOMIC " LOAD_TICKETS("") AND_ACTIVITIES
	" UNION ALL SELECT 'element',e.ctt_id," ELEMENT_COLUMNS " FROM"
	IDS_IN("?a") "STRAIGHT_JOIN network_element e ON e.ctt_id=x.id; END"),

/*
 * What SAVE and CLOSE take: the JSON texts a news, b links, c ops, d statuses,
 * e activities, f notes, g elements, h jobs, i audits, j counts; in A to J how
 * many rows each has. For one item (Z) a, b, c, h, i and j go by their cells
 * instead: a0, a1... row by row.
 */

/* the first transaction ends: journal rows, links, COMMIT */
SQL_TEXT(SAVE,
	"BEGIN NOT ATOMIC " UPDATE_LINKS INSERT_OPERATIONS "COMMIT; END"),

/*
 * The second transaction. If any of the operations is not in the state any
 * more in which it was found, nothing is done -> 0; else -> 1, and the count
 * of each NTT in `counts`. CLOSE is what ends most links and does no more;
 * CLOSE_ALL all else too -> operation, activity and note of what was stored;
 * operation and history; the CTTs' elements as they are stored now.
 */
SQL_ROWS(CLOSE, CLOSE_WITH("", "")),
SQL_TEXT(CLOSE_ALL,
	CLOSE_WITH(UPDATE_LINKS UPDATE_STATUSES INSERT_OPERATIONS
		   INSERT_ACTIVITIES UPDATE_ELEMENTS,
		   SELECT_ACTIVITIES SELECT_ELEMENTS)),

/* {"op":[{"id"}...]} -> id, state, steps, error and owner of those there are;
 * waits for who is writing one just now */
SQL_TEXT(OP_PEEK,
	BEGIN_WITH_J
	"START TRANSACTION;"
	"SELECT o.id,o.state,o.steps,o.error_code,o.owner FROM"
	JSON_ROWS("$.op[*]", OP_ID_AT("$.id"))
	"STRAIGHT_JOIN operation o ON o.id=x.id FOR UPDATE;"
	"COMMIT; END"),

/*
 * {"actor","path","key","hash","owner"}: this key's request is the owner's, if
 * it is new or its process is gone -> whether it is new, whether it was taken
 * over, id, whether the body is the same, status, headers, reply
 */
SQL_TEXT(KEY_CLAIM,
	BEGIN_WITH_J
	"DECLARE a VARCHAR(128) CHARACTER SET utf8mb4"
	" DEFAULT JSON_VALUE(j,'$.actor');"
	"DECLARE p,k VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin;"
	"DECLARE h,w VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin;"
	"DECLARE fresh,taken INT DEFAULT 0;"
	"SET p=JSON_VALUE(j,'$.path'),k=JSON_VALUE(j,'$.key'),"
	"h=JSON_VALUE(j,'$.hash'),w=JSON_VALUE(j,'$.owner');"
	"DELETE FROM idempotency WHERE actor=a AND path=p AND idem_key=k"
	" AND created_at<" NOW "-INTERVAL 24 HOUR;"
	"INSERT IGNORE INTO idempotency(actor,path,idem_key,body_hash,owner,"
	"created_at) VALUES(a,p,k,h,w," NOW ");"
	"SET fresh=ROW_COUNT();"
	"IF fresh=0 THEN"
	" UPDATE idempotency i SET i.owner=w WHERE i.actor=a AND i.path=p"
	" AND i.idem_key=k AND i.body_hash=h AND i.status IS NULL AND "
	ABANDONED("i") ";"
	"SET taken=ROW_COUNT(); END IF;"
	"SELECT fresh,taken,i.id,i.body_hash=h,i.status,i.headers,i.reply"
	" FROM idempotency i WHERE i.actor=a AND i.path=p AND i.idem_key=k;"
	"END"),

/* {"id","owner","status","headers"}, reply: the answer, to be given again;
 * without a status: it is still to be found out, by whoever asks next */
SQL_TEXT(KEY_CLOSE,
	"BEGIN NOT ATOMIC " TAKES("j") TAKES("r")
	"UPDATE idempotency SET owner=NULL,status=JSON_VALUE(j,'$.status'),"
	"headers=JSON_QUERY(j,'$.headers'),reply=NULLIF(r,'')"
	" WHERE id=JSON_VALUE(j,'$.id')"
	" AND owner=JSON_VALUE(j,'$.owner'); END"),

/* {"id","owner"}: nothing was begun; the key is free again */
SQL_TEXT(KEY_FORGET,
	BEGIN_WITH_J
	"DELETE FROM idempotency WHERE id=JSON_VALUE(j,'$.id')"
	" AND owner=JSON_VALUE(j,'$.owner'); END"),

/*
 * {"id"} -> the operations of a key's request, by item and age: id, item,
 * kind, state, ctt_id, ntt_id, the NTT's number and count, error, intent,
 * activity, note, history, partner
 */
SQL_TEXT(KEY_OPERATIONS,
	BEGIN_WITH_J
	"SELECT o.id,o.item_index,o.kind,o.state,o.ctt_id,o.ntt_id,n.ticket_no,"
	"n.ctt_count,o.error_code,o.intent,a.id,t.id,h.id,o.partner"
	" FROM operation o"
	" LEFT JOIN ntt n ON n.id=o.ntt_id"
	" LEFT JOIN ctt_activity a ON a.operation_id=o.id"
	" LEFT JOIN activity_note t ON t.ctt_id=a.ctt_id AND t.activity_id=a.id"
	" LEFT JOIN cpe_history h ON h.ctt_id=o.ctt_id AND h.operation_id=o.id"
	" WHERE o.idempotency_id=JSON_VALUE(j,'$.id')"
	" ORDER BY o.item_index,o.seq;"
	"END"),

/* what is older than 24 h is forgotten, some at a time */
SQL_TEXT(KEY_PURGE,
	"DELETE FROM idempotency WHERE created_at<" NOW "-INTERVAL 24 HOUR"
	" ORDER BY created_at LIMIT 1000"),

/* -> ids of the open operations that nobody works on and whose time has come */
SQL_TEXT(OP_DUE,
	"SELECT o.id FROM operation o WHERE o.open_ctt_id IS NOT NULL"
	" AND o.next_try_at<=" NOW " AND " IS_OURS("o") " AND " ABANDONED("o")
	" ORDER BY o.next_try_at LIMIT 200"),

/* {"op":[{"id"}...],"owner":name}: take over those that are open and
 * abandoned -> the operations that are the owner's now */
SQL_TEXT(OP_CLAIM,
	BEGIN_WITH_J
	"START TRANSACTION;"
	"UPDATE" JSON_ROWS("$.op[*]", OP_ID_AT("$.id"))
	"STRAIGHT_JOIN operation o ON o.id=x.id"
	/* whoever had it died, or lost it, and may have asked just now; of
	 * an earlier version's, which has no call, nobody knows */
	" SET o.doubted_at=IF(o.owner IS NULL AND o.partner_call IS NOT NULL,"
	"o.doubted_at," NOW "),o.owner=JSON_VALUE(j,'$.owner')"
	" WHERE o.state IN('RUNNING','SETTLING') AND " IS_OURS("o")
	" AND " ABANDONED("o") ";"
	"COMMIT;"
	"SELECT o.id,o.kind,o.state,o.ctt_id,o.ntt_id,o.actor,o.request_id,"
	"o.remark,o.intent,o.steps,o.undoing,o.tries,o.error_code,"
	"o.item_index,o.idempotency_id,o.partner_call,"
	"TIMESTAMPDIFF(MICROSECOND,o.doubted_at," NOW ") DIV 1000,"
	"o.accepted,o.refusals,o.bodies,o.body_hash,o.mends,o.partner FROM"
	JSON_ROWS("$.op[*]", OP_ID_AT("$.id"))
	"STRAIGHT_JOIN operation o ON o.id=x.id"
	" WHERE o.owner=JSON_VALUE(j,'$.owner')"
	" AND o.state IN('RUNNING','SETTLING');"
	"END"),

/* {"op":[{"id"}...],"owner":name}: from now on the inverse of these is sent, and
 * the call never again -> those that are the owner's, and only these may be */
SQL_TEXT(OP_UNDOING,
	BEGIN_WITH_J
	"START TRANSACTION;"
	"UPDATE" JSON_ROWS("$.op[*]", OP_ID_AT("$.id"))
	"STRAIGHT_JOIN operation o ON o.id=x.id SET o.undoing=1,"
	"o.accepted=0,o.refusals=0,o.bodies=0,o.body_hash=NULL"
	" WHERE o.state='SETTLING' AND o.owner=JSON_VALUE(j,'$.owner')"
	" AND NOT o.undoing;"
	"COMMIT;"
	"SELECT o.id FROM" JSON_ROWS("$.op[*]", OP_ID_AT("$.id"))
	"STRAIGHT_JOIN operation o ON o.id=x.id"
	" WHERE o.undoing AND o.owner=JSON_VALUE(j,'$.owner'); END"),

/* {"op":[{"id"}...],"nextMs","why","owner":name}: let go of these until later */
SQL_TEXT(OP_DEFER,
	BEGIN_WITH_J
	"UPDATE" JSON_ROWS("$.op[*]", OP_ID_AT("$.id"))
	"STRAIGHT_JOIN operation o ON o.id=x.id SET o.owner=NULL,"
	"o.tries=o.tries+1,o.last_error=JSON_VALUE(j,'$.why'),"
	"o.next_try_at=" IN_MS("JSON_VALUE(j,'$.nextMs')")
	" WHERE o.open_ctt_id IS NOT NULL"
	" AND o.owner=JSON_VALUE(j,'$.owner'); END"),

/*
 * {"after","limit"}, or {"id"} or {"ticketNo"} of one -> CTTs, ids rising: id,
 * number, source, partner_ref, status; id, number and partner_ref of their NTT;
 * of the last resolve that succeeded its partner, intent and remark; their open
 * operation. Then, of those that have none, elements that were ever changed: CTT
 * and its number, and what ELEMENT_COLUMNS has.
 */
#define RECONCILE_CTTS                                                       \
	" FROM(SELECT k.id FROM ctt k WHERE(i IS NULL OR k.id=i)"            \
	" AND(t IS NULL OR k.ticket_no=t) AND k.id>a ORDER BY k.id LIMIT m) x"\
	" STRAIGHT_JOIN ctt c ON c.id=x.id"
SQL_TEXT(RECONCILE,
	BEGIN_WITH_J
	"DECLARE m INT DEFAULT JSON_VALUE(j,'$.limit');"
	"DECLARE a BIGINT UNSIGNED DEFAULT COALESCE(JSON_VALUE(j,'$.after'),0);"
	"DECLARE i BIGINT UNSIGNED DEFAULT JSON_VALUE(j,'$.id');"
	"DECLARE t VARCHAR(64) CHARACTER SET utf8mb4"
	" DEFAULT JSON_VALUE(j,'$.ticketNo');"
	"SELECT c.id,c.ticket_no,c.source,c.partner_ref,c.status,n.id,"
	"n.ticket_no,n.partner_ref,r.partner,r.intent,r.remark,o.id"
	RECONCILE_CTTS
	" LEFT JOIN ntt n ON n.id=c.ntt_id"
	" LEFT JOIN operation o ON o.open_ctt_id=c.id"
	" LEFT JOIN operation r ON r.ctt_id=c.id AND r.seq=(SELECT MAX(p.seq)"
	" FROM operation p WHERE p.ctt_id=c.id AND p.kind='RESOLVE'"
	" AND p.state='SUCCEEDED')"
	" ORDER BY c.id;"
	"SELECT c.id,c.ticket_no," ELEMENT_COLUMNS
	RECONCILE_CTTS
	" JOIN network_element e ON e.ctt_id=c.id"
	" WHERE NOT EXISTS(SELECT 1 FROM operation o WHERE o.open_ctt_id=c.id)"
	" AND EXISTS(SELECT 1 FROM cpe_history h WHERE h.ctt_id=c.id"
	" AND h.network_element_id=e.id) ORDER BY e.id;"
	"END"),

/* {"name":[...]} as a partner names NTTs -> name, id of those there are */
SQL_TEXT(NTTS_NAMED,
	BEGIN_WITH_J
	"SELECT x.name,n.id FROM" JSON_ROWS("$.name[*]",
		"name VARCHAR(255) PATH '$'")
	"STRAIGHT_JOIN ntt n ON n.ticket_no=x.name WHERE n.partner_ref IS NULL"
	" UNION SELECT x.name,n.id FROM" JSON_ROWS("$.name[*]",
		"name VARCHAR(255) PATH '$'")
	"STRAIGHT_JOIN ntt n ON n.partner_ref=x.name;"
	"END"),

/* Begin, and lock jobs that are due -> id, type, payload, dedupe_key,
 * attempts, refusals, age in seconds, created_at. Jobs whose worker is gone
 * count. One waits until the earlier ones of its CTT are DONE or DEAD; only a
 * look at a partner is nobody's turn. */
SQL_TEXT(JOB_PICK,
	"BEGIN NOT ATOMIC "
	"START TRANSACTION;"
	"UPDATE job SET state='READY',owner=NULL WHERE state='RUNNING' AND "
	ABANDONED("job") ";"
	"SELECT b.id,b.type,b.payload,b.dedupe_key,b.attempts,b.refusals,"
	"TIMESTAMPDIFF(SECOND,b.since," NOW ")," UTC("b.created_at")
	" FROM job b WHERE b.state='READY' AND b.run_at<=" NOW
	" AND(b.type='look-again' OR NOT EXISTS(SELECT 1 FROM job e"
	" WHERE e.ctt_id=b.ctt_id AND e.state IN('READY','RUNNING')"
	" AND e.id<b.id AND e.type<>'look-again'))"
	" ORDER BY b.run_at,b.id LIMIT 128 FOR UPDATE SKIP LOCKED;"
	"END"),

/* {"id":[id...],"owner":name}: the jobs that were picked are ours; COMMIT */
SQL_TEXT(JOB_TAKE,
	BEGIN_WITH_J
	"UPDATE" JSON_ROWS("$.id[*]", ID_AT("$"))
	"STRAIGHT_JOIN job b ON b.id=x.id SET b.state='RUNNING',"
	"b.owner=JSON_VALUE(j,'$.owner'),b.attempts=b.attempts+1,"
	"b.updated_at=" NOW ";"
	"COMMIT; END"),

/* {"job":[{"id","state","nextMs","why","refused","unasked"}],"owner":name}: what
 * became of them */
SQL_TEXT(JOB_CLOSE,
	BEGIN_WITH_J
	"UPDATE" JSON_ROWS("$.job[*]", ID_AT("$.id") ","
		"state VARCHAR(16) PATH '$.state',"
		"next_ms BIGINT PATH '$.nextMs',"
		"refused INT PATH '$.refused',"
		"unasked INT PATH '$.unasked',"
		"why TEXT PATH '$.why'")
	"STRAIGHT_JOIN job b ON b.id=x.id SET b.state=x.state,b.owner=NULL,"
	"b.refusals=b.refusals+x.refused,b.attempts=b.attempts-x.unasked,"
	"b.run_at=" IN_MS("x.next_ms") ",b.last_error=LEFT(x.why,255),"
	"b.updated_at=" NOW " WHERE b.state='RUNNING'"
	" AND b.owner=JSON_VALUE(j,'$.owner'); END"),

/*
 * What is too old to be kept, by so many days -> how many were removed. The
 * mark says that operations (their jobs) before it may lack something. run_at of
 * a job that is DONE is when it was done (JOB_CLOSE), and has an index.
 */
#define AS_TEXT(n)  #n
#define LIMIT_OF(n) " LIMIT " AS_TEXT(n)
#define TOO_OLD NOW "-INTERVAL CAST(?a AS UNSIGNED) DAY"
#define REMOVE(what, delete)                                                 \
	"BEGIN NOT ATOMIC "                                                  \
	"START TRANSACTION;"                                                 \
	delete ";"                                                           \
	"SET @gone=ROW_COUNT();"                                             \
	IF_ANY("@gone")                                                      \
	"INSERT INTO retention(what,removed_before) VALUES('" what "',"      \
	TOO_OLD ") ON DUPLICATE KEY UPDATE"                                  \
	" removed_before=GREATEST(removed_before,VALUE(removed_before));"    \
	END_IF                                                               \
	"COMMIT; SELECT @gone; END"
SQL_TEXT(REMOVE_JOBS,
	REMOVE("job", "DELETE FROM job WHERE state='DONE' AND run_at<" TOO_OLD
	       " ORDER BY run_at,id" LIMIT_OF(REMOVE_MOST))),
/* those that were made first: if they are not too old, none is */
SQL_TEXT(REMOVE_REFUSED,
	REMOVE("refused", "DELETE o FROM(SELECT r.id,r.created_at FROM"
	       " operation r FORCE INDEX(operation_state)"
	       " WHERE r.state='REFUSED' ORDER BY r.seq" LIMIT_OF(REMOVE_MOST)
	       ") x STRAIGHT_JOIN operation o ON o.id=x.id"
	       " WHERE x.created_at<" TOO_OLD)),

/* a worker's name (?a) runs, and counts as running for so many ms (?b); ?c: and
 * it has done something. Who does not count any more is forgotten, but for when
 * it last worked. */
SQL_TEXT(BEAT,
	"BEGIN NOT ATOMIC "
	"INSERT INTO worker(name,beat_at,alive_until,worked_at)"
	" SELECT ?a," NOW "," IN_MS("CAST(?b AS SIGNED)") ","
	"IF(?c IS NULL,MAX(w.worked_at)," NOW ") FROM worker w"
	" ON DUPLICATE KEY UPDATE beat_at=VALUE(beat_at),"
	"alive_until=VALUE(alive_until),worked_at=VALUE(worked_at);"
	"DELETE FROM worker WHERE alive_until<=" NOW " AND name<>?a;"
	"END"),

/* {"id":operation}. Its set of characters is the column's, or the whole table
 * would be converted and compared. */
SQL_TEXT(READ_OPERATION,
	BEGIN_WITH_J
	"DECLARE i VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin"
	" DEFAULT JSON_VALUE(j,'$.id');"
	"SELECT o.id,o.kind,o.state,o.ctt_id,c.ticket_no,o.ntt_id,n.ticket_no,"
	"o.partner,o.actor,o.request_id,o.steps,o.error_code,o.last_error,"
	UTC("o.created_at") "," UTC("o.updated_at") ","
	"IF(o.open_ctt_id IS NULL,NULL," UTC("o.next_try_at") ") "
	"FROM operation o LEFT JOIN ctt c ON c.id=o.ctt_id"
	" LEFT JOIN ntt n ON n.id=o.ntt_id WHERE o.id=i;"
	"END"),

/*
 * {"requestId","cttId","nttId","state","after":seq,"limit"} -> how many of the
 * request are in each state; a page: what it was asked by (none: NULL), and seq.
 * Those of a request come in their order, others the latest first. A request id
 * that somebody uses for ever is counted no further than COUNTED_OPERATIONS.
 */
#define COUNTED_OPERATIONS "20000"
#define BEFORE_IT " AND o.seq<a"
#define LATEST    " DESC"
#define SHOW_OPERATIONS(index, where, order)                                 \
	"SELECT o.id,o.kind,o.state,o.ctt_id,c.ticket_no,o.ntt_id,"          \
	"n.ticket_no,o.partner,o.error_code," UTC("o.created_at") ","        \
	UTC("o.updated_at") ",o.seq FROM operation o FORCE INDEX(" index ")" \
	" LEFT JOIN ctt c ON c.id=o.ctt_id LEFT JOIN ntt n ON n.id=o.ntt_id" \
	" WHERE " where " AND(x IS NULL OR o.ctt_id=x)"                      \
	" AND(y IS NULL OR o.ntt_id=y) AND(s IS NULL OR o.state=s)"          \
	" ORDER BY o.seq" order " LIMIT m;"
SQL_TEXT(LIST_OPERATIONS,
	BEGIN_WITH_J ASKED_PAGE
	ASKED_TEXT("r", "64", "requestId") ASKED_TEXT("s", "16", "state")
	ASKED_ID("x", "cttId") ASKED_ID("y", "nttId")
	SNAPSHOT
	"SELECT p.state,COUNT(*) FROM(SELECT o.state FROM operation o"
	" FORCE INDEX(operation_request) WHERE "
	IS_EXACTLY("o.request_id", "r") " LIMIT " COUNTED_OPERATIONS ") p"
	" GROUP BY p.state;"
	"IF r IS NOT NULL THEN "
	SHOW_OPERATIONS("operation_request", IS_EXACTLY("o.request_id", "r")
			" AND o.seq>COALESCE(a,0)", "")
	"ELSE "
	"SET a=COALESCE(a,~0);"
	"IF x IS NOT NULL THEN "
	SHOW_OPERATIONS("operation_ctt", "o.ctt_id=x" BEFORE_IT, LATEST)
	"ELSEIF y IS NOT NULL AND NOT(s<=>'RUNNING' OR s<=>'SETTLING') THEN "
	SHOW_OPERATIONS("operation_ntt", "o.ntt_id=y" BEFORE_IT, LATEST)
	"ELSE " /* few are open */
	SHOW_OPERATIONS("operation_state", "o.state=s" BEFORE_IT, LATEST)
	END_IF END_IF
	"COMMIT; END"),

/*
 * {"cttId","nttId","actor","from","to","after":id,"limit"} -> a page of the audit
 * trail, the latest first: the row, and of which ticket it is. Those of one
 * ticket are in the order of its trail; others in that of time, for there may be
 * any number between two times.
 */
#define SHOW_AUDIT(index, where, order)                                      \
	"SELECT " AUDIT_COLUMNS ",c.id,c.ticket_no,n.id,n.ticket_no"         \
	" FROM audit_log l FORCE INDEX(" index ")"                           \
	" LEFT JOIN ctt c ON l.entity_type='CTT' AND c.id=l.entity_id"       \
	" LEFT JOIN ntt n ON l.entity_type='NTT' AND n.id=l.entity_id"       \
	" WHERE " where " AND(w IS NULL OR " IS_EXACTLY("l.actor", "w") ")"  \
	" AND l.created_at>=f AND l.created_at<=z"                           \
	" ORDER BY " order "l.id DESC LIMIT m;"
#define BY_TIME   "l.created_at DESC,"
#define BEHIND_IT "(l.created_at<d OR l.created_at=d AND l.id<a)"
SQL_TEXT(LIST_AUDIT,
	BEGIN_WITH_J ASKED_PAGE
	ASKED_ID("x", "cttId") ASKED_ID("y", "nttId")
	ASKED_TEXT("w", "128", "actor")
	ASKED("f", "DATETIME(3)", "from") ASKED("z", "DATETIME(3)", "to")
	"DECLARE d DATETIME(3);"
	"SET f=COALESCE(f,'1000-01-01'),z=COALESCE(z,'9999-12-31'),d=z;"
	IF_ANY("a IS NOT NULL")
	"SELECT l.created_at INTO d FROM audit_log l WHERE l.id=a;"
	END_IF
	"SET a=COALESCE(a,~0);"
	"IF x IS NOT NULL OR y IS NOT NULL THEN "
	SHOW_AUDIT("audit_log_entity",
		   "l.entity_type=IF(x IS NULL,'NTT','CTT')"
		   " AND l.entity_id=COALESCE(x,y) AND l.id<a", "")
	"ELSEIF w IS NOT NULL THEN "
	SHOW_AUDIT("audit_log_actor", "l.actor=w AND" BEHIND_IT, BY_TIME)
	"ELSE "
	SHOW_AUDIT("audit_log_time", BEHIND_IT, BY_TIME)
	END_IF
	"END"),

/* {"id":n,"after":id,"limit"} -> the CTT's id; a page of what was done to its
 * equipment, the latest first */
SQL_TEXT(READ_CPE_HISTORY,
	BEGIN_WITH_J ASKED_PAGE ASKED_ID("i", "id")
	"SELECT c.id FROM ctt c WHERE c.id=i;"
	"SELECT h.id,h.network_element_id,e.name,h.before_json,h.after_json,"
	"h.actor,h.operation_id," UTC("h.created_at") " FROM cpe_history h"
	" FORCE INDEX(cpe_history_ctt)"
	" LEFT JOIN network_element e ON e.id=h.network_element_id"
	" WHERE h.ctt_id=i AND h.id<COALESCE(a,~0)"
	" ORDER BY h.id DESC LIMIT m;"
	"END"),

/* {"id":n} -> the CTT; its open operation; latest activity;
 * notes; network elements; recent audit */
SQL_TEXT(READ_CTT,
	BEGIN_WITH_J ASKED_ID("i", "id")
	SNAPSHOT
	"SELECT " CTT_COLUMNS ",c.title,c.external_sync,c.segment_group,"
	UTC("c.resolved_at") "," UTC("c.created_at") "," UTC("c.updated_at")
	" FROM ctt c WHERE c.id=i;"
	"SELECT o.id,o.kind,o.state,o.actor," UTC("o.created_at") ","
	UTC("o.next_try_at") ",o.last_error"
	" FROM operation o WHERE o.open_ctt_id=i;"
	"SELECT a.id,a.type,a.status,a.cause_code,a.disposition,"
	"a.resolution_code,a.delay_reason,a.created_by," UTC("a.created_at")
	" FROM ctt_activity a WHERE a.ctt_id=i ORDER BY a.id DESC LIMIT 1;"
	"SELECT t.id,t.activity_id,t.text,t.author," UTC("t.created_at")
	" FROM activity_note t WHERE t.ctt_id=i ORDER BY t.id DESC LIMIT 50;"
	"SELECT e.id,e.name,e.access_type,e.manufacturer,e.model,e.ip_address,"
	"e.bandwidth_mbps,e.port," UTC("e.updated_at")
	" FROM network_element e WHERE e.ctt_id=i ORDER BY e.id;"
	"SELECT " AUDIT_COLUMNS " FROM audit_log l"
	" WHERE l.entity_type='CTT' AND l.entity_id=i"
	" ORDER BY l.id DESC LIMIT 50;"
	"COMMIT; END"),

/* {"id":n} -> the NTT; its work orders; recent audit */
SQL_TEXT(READ_NTT,
	BEGIN_WITH_J ASKED_ID("i", "id")
	SNAPSHOT
	"SELECT " NTT_COLUMNS ",n.title,n.status," UTC("n.created_at") ","
	UTC("n.updated_at") " FROM ntt n WHERE n.id=i;"
	"SELECT w.id,w.order_no,w.status FROM work_order w"
	" WHERE w.ntt_id=i ORDER BY w.id;"
	"SELECT " AUDIT_COLUMNS " FROM audit_log l"
	" WHERE l.entity_type='NTT' AND l.entity_id=i"
	" ORDER BY l.id DESC LIMIT 50;"
	"COMMIT; END"),

/* a CTT and its open operation: by one statement, or it would be shown as
 * linked while that is still open */
#define SHOW_CTTS(ids)                                                   \
	"SELECT " CTT_COLUMNS ",o.id," CURSOR("c") " FROM(" ids ") x"        \
	" STRAIGHT_JOIN ctt c ON c.id=x.id"                                  \
	" LEFT JOIN operation o ON o.open_ctt_id=c.id"                       \
	" ORDER BY " IN_ORDER("c") "c.id;"
#define SHOW_NTTS(ids)                                                       \
	"SELECT " NTT_COLUMNS ",n.title,n.status," CURSOR("n") " FROM("      \
	ids ") x STRAIGHT_JOIN ntt n ON n.id=x.id"                           \
	" ORDER BY " IN_ORDER("n") "n.id;"

/* {"id":n,"after":id,"limit":n} -> the NTT's id; a page of its CTTs */
SQL_TEXT(READ_NTT_CTTS,
	BEGIN_WITH_J ASKED_PAGE ASKED_ID("i", "id")
	"SELECT n.id FROM ntt n WHERE n.id=i;"
	"SELECT " CTT_COLUMNS ",o.id,c.id FROM ctt c FORCE INDEX(ctt_ntt)"
	" LEFT JOIN operation o ON o.open_ctt_id=c.id"
	" WHERE c.ntt_id=i AND c.id>COALESCE(a,0) ORDER BY c.id LIMIT m;"
	"END"),

/* {"status":[...]} -> of each, from 1 on, the label that tickets have; NULL:
 * it is neither code nor label of one */
SQL_TEXT(STATUS_LABELS,
	BEGIN_WITH_J
	"SELECT x.n,MIN(v.label) FROM"
	JSON_ROWS("$.status[*]", "n FOR ORDINALITY,"
		"word VARCHAR(128) CHARACTER SET utf8mb4 PATH '$'")
	"LEFT JOIN lov v ON v.type='CTT_STATUS'"
	" AND(v.code=x.word OR v.label=x.word) GROUP BY x.n ORDER BY x.n;"
	"END"),

/* {"q" (a pattern),"ticketNo","status":[up to 8],"linked","updatedSince",
 * "after":id,"behindTime","behindId","limit"} -> a page, each row with its cursor */
SQL_TEXT(LIST_CTT, BEGIN_WITH_J ASKED_TICKETS LIST("ctt", SHOW_CTTS) "END"),
SQL_TEXT(LIST_NTT, BEGIN_WITH_J ASKED_TICKETS LIST("ntt", SHOW_NTTS) "END"),

SQL_TEXT(READ_LOV,
	"SELECT type,code,label FROM lov WHERE active ORDER BY type,code"),

/* a write that changes nothing: does the database take any? */
SQL_TEXT(PING, "DELETE FROM idempotency WHERE id=0"),

/*
 * How cttd is, and for the metrics. No more than 10,000 rows are counted of what
 * is open, or of jobs in one state.
 * -> for how many seconds the job that is due for longest has waited (NULL: none
 *    is due); workers that run, when one last said so, when one last worked
 * -> open operations by state, kind and how many of OPEN_AGES they have reached:
 *    their number, and for how long the one that is due for longest has waited
 * -> the oldest (ids begin with their time): id, kind, state, CTT, NTT, partner, tries, last error, age in
 *    seconds, when it was begun, when it is tried next
 * -> jobs by state: their number, the age of the oldest in seconds (its id is
 *    the lowest, and in the index)
 * -> the jobs that died last: id, type, operation, CTT, attempts, last error,
 *    when they were written, when they died
 */
#define AGE_IN_S(column) "TIMESTAMPDIFF(SECOND," column "," NOW ")"
#define LATE(due)        "IF(" due "<" NOW "," AGE_IN_S(due) ",NULL)"
#define SOME_OPEN(columns)                                                   \
	"(SELECT " columns " FROM operation FORCE INDEX(operation_open)"     \
	" WHERE open_ctt_id IS NOT NULL LIMIT 10000) x"
#define HAS_AGE(s) "+(x.created_at<=" NOW "-INTERVAL " #s " SECOND)"
#define JOBS_IN(state)                                                       \
	"SELECT '" state "' state,COUNT(*) n,MIN(y.id) id FROM"              \
	"(SELECT id FROM job WHERE state='" state "' LIMIT 10000) y"
SQL_TEXT(HEALTH,
	"BEGIN NOT ATOMIC "
	"SELECT " LATE("(SELECT run_at FROM job WHERE state='READY'"
	" ORDER BY run_at LIMIT 1)") ",COALESCE(SUM(w.alive_until>" NOW "),0),"
	UTC("MAX(w.beat_at)") "," UTC("MAX(w.worked_at)") " FROM worker w;"
	"SELECT x.state,x.kind,0" OPEN_AGES(HAS_AGE) " age,COUNT(*),"
	LATE("MIN(x.next_try_at)") " FROM"
	SOME_OPEN("state,kind,created_at,next_try_at")
	" GROUP BY x.state,x.kind,age;"
	"SELECT o.id,o.kind,o.state,c.id,c.ticket_no,n.id,n.ticket_no,"
	"o.partner,o.tries,o.last_error," AGE_IN_S("o.created_at") ","
	UTC("o.created_at") "," UTC("o.next_try_at") " FROM"
	"(SELECT MIN(x.id) id FROM" SOME_OPEN("id") ") y"
	" STRAIGHT_JOIN operation o ON o.id=y.id"
	" LEFT JOIN ctt c ON c.id=o.ctt_id LEFT JOIN ntt n ON n.id=o.ntt_id;"
	"SELECT x.state,x.n," AGE_IN_S("b.created_at") " FROM("
	JOBS_IN("READY") " UNION ALL " JOBS_IN("RUNNING") " UNION ALL "
	JOBS_IN("DEAD") ") x LEFT JOIN job b ON b.id=x.id"
	" ORDER BY FIELD(x.state,'READY','RUNNING','DEAD');"
	"SELECT b.id,b.type,JSON_VALUE(b.payload,'$.operationId'),c.id,"
	"c.ticket_no,b.attempts,b.last_error," UTC("b.created_at") ","
	UTC("b.updated_at") " FROM(SELECT id FROM job WHERE state='DEAD'"
	" ORDER BY run_at DESC,id DESC LIMIT 5) x STRAIGHT_JOIN job b"
	" ON b.id=x.id LEFT JOIN ctt c ON c.id=b.ctt_id"
	" ORDER BY b.run_at DESC,b.id DESC;"
	"END"),

/* -> 1, once no other migration runs; held until the connection ends */
SQL_TEXT(MIGRATE_LOCK, "SELECT GET_LOCK(CONCAT('cttd-migrate:',DATABASE()),5)"),

SQL_TEXT(SCHEMA_VERSION, "SELECT COALESCE(MAX(version),0) FROM schema_version"),

/*
 * {"ctts":n,"ntts":n}: sample tickets, numbered behind those there are -> the
 * last CTT's and NTT's number. A third of the CTTs are TaaS's; some Managed
 * Services CTTs have network elements; each has an activity.
 */
SQL_TEXT(SEED,
	BEGIN_WITH_J
	"DECLARE c BIGINT DEFAULT (SELECT COALESCE(MAX(id),0) FROM ctt);"
	"DECLARE n BIGINT DEFAULT (SELECT COALESCE(MAX(id),0) FROM ntt);"
	"DECLARE ctts,ntts BIGINT DEFAULT 0;"
	"SET ctts=JSON_VALUE(j,'$.ctts');"
	"SET ntts=JSON_VALUE(j,'$.ntts');"
	"START TRANSACTION;"
	"INSERT INTO ntt(ticket_no,title) SELECT CONCAT('NTT-',"
	"LPAD(n+s.seq,7,'0')),ELT(1+s.seq%4,'Fiber cut','OLT down',"
	"'Power failure at site','Core router fault') FROM seq_1_to_10000000 s"
	" WHERE s.seq<=ntts;"
	"INSERT INTO work_order(ntt_id,order_no) SELECT t.id,"
	"CONCAT('WO-',LPAD(t.id,7,'0')) FROM ntt t WHERE t.id>n AND t.id%2=1;"
	"INSERT INTO ctt(ticket_no,title,source,segment_group) SELECT"
	" CONCAT(IF(s.seq%3=0,'TaaS-','CTT-'),LPAD(c+s.seq,7,'0')),"
	"ELT(1+s.seq%3,'No internet','Slow connection','No dial tone'),"
	"IF(s.seq%3=0,'TAAS','TMF'),IF(s.seq%5=0,'Managed Services','Retail')"
	" FROM seq_1_to_10000000 s WHERE s.seq<=ctts;"
	"INSERT INTO ctt_activity(ctt_id,type,status,created_by) SELECT t.id,"
	"'Created','Open','seed' FROM ctt t WHERE t.id>c;"
	"INSERT INTO network_element(ctt_id,name,access_type,manufacturer,"
	"model,ip_address,bandwidth_mbps,port) SELECT t.id,CONCAT('ONT-',t.id),"
	"'FTTH','Huawei','HG8245',CONCAT('10.',t.id DIV 65536%256,'.',"
	"t.id DIV 256%256,'.',t.id%256),300,'1/1/1' FROM ctt t"
	" WHERE t.id>c AND t.segment_group='Managed Services';"
	"COMMIT;"
	"SELECT (SELECT ticket_no FROM ctt WHERE id=(SELECT MAX(id) FROM ctt)),"
	"(SELECT ticket_no FROM ntt WHERE id=(SELECT MAX(id) FROM ntt)); END"),

/* -> id, kind, state, CTT, NTT, partner, when, last error */
SQL_TEXT(ASSUMED_OPERATIONS,
	"SELECT o.id,o.kind,o.state,c.ticket_no,n.ticket_no,o.partner,"
	UTC("o.updated_at") ",o.last_error FROM operation o"
	" LEFT JOIN ctt c ON c.id=o.ctt_id LEFT JOIN ntt n ON n.id=o.ntt_id"
	" WHERE o.assumed ORDER BY o.updated_at,o.id"),

/* -> id, kind, state, CTT, NTT, partner, tries, last error, age in seconds,
 * seconds until the next try, whether somebody works on it, whether only its
 * undo is missing, whether it is driven on */
SQL_TEXT(OPEN_OPERATIONS,
	"SELECT o.id,o.kind,o.state,c.ticket_no,n.ticket_no,o.partner,"
	"o.tries,o.last_error,"
	"TIMESTAMPDIFF(SECOND,o.created_at," NOW "),"
	"CEIL(TIMESTAMPDIFF(MICROSECOND," NOW ",o.next_try_at)/1000000),"
	"NOT " ABANDONED("o") ",o.undoing,"
	"o.kind='RESOLVE' OR JSON_EXISTS(COALESCE(o.intent,'{}'),'$.goesOn')"
	" FROM operation o"
	" LEFT JOIN ctt c ON c.id=o.ctt_id LEFT JOIN ntt n ON n.id=o.ntt_id"
	" WHERE o.open_ctt_id IS NOT NULL ORDER BY o.created_at,o.id"),

/* {"id":[operation...]}, or {"all":true} -> which of these, from 1 on, are not
 * open, and their state; how many are due now */
SQL_TEXT(RETRY_OPERATIONS,
	BEGIN_WITH_J
	"SELECT x.n,o.state FROM"
	JSON_ROWS("$.id[*]", "n FOR ORDINALITY," OP_ID_AT("$"))
	"LEFT JOIN operation o ON o.id=x.id WHERE o.open_ctt_id IS NULL"
	" ORDER BY x.n;"
	"UPDATE operation o SET o.next_try_at=" NOW
	" WHERE o.open_ctt_id IS NOT NULL AND (JSON_EXISTS(j,'$.all') OR"
	" o.id IN(SELECT x.id FROM" JSON_ROWS("$.id[*]", OP_ID_AT("$")) "));"
	"SELECT ROW_COUNT(); END"),

SQL_TEXT(DEAD_JOBS,
	"SELECT id,type,dedupe_key,attempts,last_error," UTC("created_at")
	" FROM job WHERE state='DEAD' ORDER BY id"),

/* {"id":[job...]}, or {"all":true} -> which of these, from 1 on, are not DEAD,
 * and their state; how many are ready again */
SQL_TEXT(RETRY_JOBS,
	BEGIN_WITH_J
	"SELECT x.n,b.state FROM"
	JSON_ROWS("$.id[*]", "n FOR ORDINALITY," ID_AT("$"))
	"LEFT JOIN job b ON b.id=x.id WHERE NOT(b.state<=>'DEAD')"
	" ORDER BY x.n;"
	"UPDATE job b SET b.state='READY',b.attempts=0,b.refusals=0,"
	"b.since=" NOW ",b.run_at=" NOW ","
	"b.updated_at=" NOW " WHERE b.state='DEAD' AND (JSON_EXISTS(j,'$.all')"
	" OR b.id IN(SELECT x.id FROM" JSON_ROWS("$.id[*]", ID_AT("$")) "));"
	"SELECT ROW_COUNT(); END"),

/*
 * The promises of contract section 10 -> what is wrong, one line a breach; the
 * SQL that would mend it, or NULL. Of an audit row that is missing also what
 * its seal is made of; the seal's place in the SQL is @SEAL@.
 */
SQL_TEXT(CHECK_LINK,
	"SELECT CONCAT('ctt ',c.id,': ',IF(c.ntt_id IS NULL,"
	"CONCAT('names NTT ',c.ntt_ticket_no,' but has no ntt_id'),"
	"IF(n.id IS NULL,CONCAT('is linked to ntt ',c.ntt_id,"
	"', which does not exist'),CONCAT('ntt_ticket_no is ',"
	"COALESCE(c.ntt_ticket_no,'NULL'),', that of ntt ',n.id,' is ',"
	"n.ticket_no)))),"
	"CONCAT('UPDATE ctt c LEFT JOIN ntt n ON n.id=c.ntt_id"
	" SET c.ntt_id=n.id,c.ntt_ticket_no=n.ticket_no WHERE c.id=',c.id,';')"
	" FROM ctt c LEFT JOIN ntt n ON n.id=c.ntt_id"
	" WHERE NOT (c.ntt_ticket_no<=>n.ticket_no)"
	" OR (c.ntt_id IS NOT NULL AND n.id IS NULL)"),

SQL_TEXT(CHECK_LINK_OPERATION,
	"SELECT CONCAT('ctt ',u.id,': is linked to ',"
	"COALESCE(CONCAT('ntt ',u.ntt_id),'none'),', but ',IF(u.op IS NULL,"
	"CONCAT('no operation did that, and it came linked to ',"
	"COALESCE(CONCAT('ntt ',u.said),'none')),"
	"CONCAT('its last settled operation ',u.op,' says ',"
	"COALESCE(CONCAT('ntt ',u.said),'none')))),"
	"CONCAT('UPDATE ctt c LEFT JOIN ntt n ON n.id=',"
	"COALESCE(u.said,'NULL'),' SET c.ntt_id=n.id,c.ntt_ticket_no="
	"n.ticket_no WHERE c.id=',u.id,'; UPDATE ntt n SET n.ctt_count="
	LINKED("''") " WHERE n.id IN(',CONCAT_WS(',',u.ntt_id,u.said),');')"
	" FROM(SELECT c.id,c.ntt_id,o.id op,IF(o.id IS NULL,c.came_ntt_id,"
	"IF(o.kind='LINK',o.ntt_id,NULL)) said FROM ctt c"
	" LEFT JOIN operation o ON o.ctt_id=c.id AND o.seq=("
	"SELECT MAX(p.seq) FROM operation p WHERE p.ctt_id=c.id"
	" AND p.kind IN('LINK','UNLINK') AND p.state='SUCCEEDED'"
	" AND NOT p.mends)"
	" WHERE NOT EXISTS(SELECT 1 FROM operation q WHERE q.open_ctt_id=c.id)"
	") u WHERE NOT (u.ntt_id<=>u.said)"),

SQL_TEXT(CHECK_COUNT,
	"SELECT CONCAT('ntt ',u.id,': ctt_count is ',u.ctt_count,"
	"', linked CTTs are ',u.linked),"
	"CONCAT('UPDATE ntt n SET n.ctt_count=" LINKED("''")
	" WHERE n.id=',u.id,';') FROM("
	"SELECT n.id,n.ctt_count," LINKED("'") " linked FROM ntt n) u"
	" WHERE u.ctt_count<>u.linked"),

SQL_TEXT(CHECK_AUDIT,
	"SELECT CONCAT('operation ',u.op,': is ',u.state,', and has no ',"
	"u.type,' audit row that says so'),"
	"CONCAT('INSERT INTO audit_log(entity_type,entity_id,action,outcome,"
	"actor,request_id,operation_id,detail,created_at,hash) SELECT ',"
	"QUOTE(u.type),',',u.id,',o.kind,',QUOTE(u.outcome),"
	"',o.actor,o.request_id,o.id,',QUOTE(" MENDED "),'," NOW ","
	"SHA2(CONCAT(COALESCE((SELECT p.hash FROM audit_log p WHERE"
	" p.entity_type=',QUOTE(u.type),' AND p.entity_id=',u.id,"
	"' ORDER BY p.id DESC LIMIT 1),''''),@SEAL@," NOW "),256)"
	" FROM operation o WHERE o.id=',QUOTE(u.op),';'),"
	"u.type,u.id,u.kind,u.outcome,u.actor,u.request_id,u.op," MENDED
	" FROM(SELECT o.id op,o.state,o.kind,o.actor,o.request_id,e.type,"
	"IF(o.state='SUCCEEDED','SUCCESS',o.state) outcome,"
	"IF(e.type='CTT',o.ctt_id,COALESCE(o.ntt_id,n.id)) id"
	" FROM operation o JOIN(SELECT 'CTT' type UNION ALL SELECT 'NTT') e"
	/* a resolution is in the trail of the NTT to which the CTT was linked;
	 * forced, for by its type half of the table would be read for each */
	" LEFT JOIN audit_log r FORCE INDEX(audit_log_operation)"
	" ON e.type='NTT' AND o.kind='RESOLVE'"
	" AND o.state='SUCCEEDED' AND r.operation_id=o.id"
	" AND r.entity_type='CTT'"
	" LEFT JOIN ntt n ON n.ticket_no=JSON_VALUE(r.detail,'$.nttTicketNo')"
	" LEFT JOIN audit_log l FORCE INDEX(audit_log_operation)"
	" ON l.operation_id=o.id AND l.entity_type=e.type"
	" AND l.outcome=IF(o.state='SUCCEEDED','SUCCESS',o.state)"
	" WHERE o.state IN('SUCCEEDED','ROLLED_BACK','COMPENSATED')"
	" AND(e.type='CTT' OR NOT o.mends AND(o.kind IN('LINK','UNLINK')"
	" OR n.id IS NOT NULL))"
	" AND l.id IS NULL) u"),

/* one of each side, once it is closed; none of what a gate refused */
SQL_TEXT(CHECK_AUDIT_ONCE,
	"SELECT CONCAT('operation ',l.operation_id,': ',"
	"IF(o.id IS NULL,'',CONCAT('is ',o.state,' and ')),'has ',COUNT(*),' ',"
	"l.entity_type,' audit rows'),NULL FROM audit_log l"
	" LEFT JOIN operation o ON o.id=l.operation_id"
	" WHERE l.operation_id<>'' GROUP BY l.operation_id,l.entity_type"
	" HAVING COUNT(*)>MAX(COALESCE(o.state IN('SUCCEEDED','ROLLED_BACK',"
	"'COMPENSATED'),1))"),

SQL_TEXT(CHECK_JOB,
	"SELECT CONCAT('operation ',o.id,': has no job ',t.type),"
	"CONCAT('INSERT INTO job(type,payload,dedupe_key,run_at,since,"
	"created_at,updated_at) SELECT ',QUOTE(t.type),"
	"',JSON_OBJECT(''operationId'',o.id,''cttId'',c.id,''cttTicketNo'',"
	"c.ticket_no,''nttId'',n.id,''nttTicketNo'',n.ticket_no,''actor'',"
	"o.actor,''requestId'',o.request_id',t.more,'),CONCAT(o.id,'':',"
	"t.type,''')," NOW "," NOW "," NOW "," NOW " FROM operation o"
	" JOIN ctt c ON c.id=o.ctt_id"
	" LEFT JOIN ntt n ON n.id=COALESCE(o.ntt_id,c.ntt_id)"
	" WHERE o.id=',QUOTE(o.id),';')"
	" FROM operation o JOIN("
	"SELECT 'LINK' kind,'create-ctt-related-kci' type,'' more"
	" UNION ALL SELECT 'LINK','update-tmf-list',''"
	" UNION ALL SELECT 'LINK','notify-work-orders',',''workOrders'',"
	"COALESCE((SELECT JSON_ARRAYAGG(JSON_OBJECT(''id'',w.id,''orderNo'',"
	"w.order_no,''status'',w.status)) FROM work_order w"
	" WHERE w.ntt_id=n.id),JSON_ARRAY())'"
	" UNION ALL SELECT 'UNLINK','update-unlinked-ctt',''"
	" UNION ALL SELECT 'RESOLVE','update-resolved-ctt',''"
	" UNION ALL SELECT 'RESOLVE','sync-note-to-taas',"
	"',''text'',o.remark,''author'',o.actor'"
	") t ON t.kind=o.kind"
	" LEFT JOIN job b ON b.dedupe_key=CONCAT(o.id,':',t.type)"
	" WHERE o.state='SUCCEEDED' AND NOT o.mends AND b.id IS NULL"
	/* not one that was old enough to be removed */
	" AND o.updated_at>=COALESCE((SELECT r.removed_before FROM retention r"
	" WHERE r.what='job'),0)"
	" AND(t.type<>'sync-note-to-taas' OR"
	" o.partner='TAAS' AND o.remark IS NOT NULL)"
	" AND(t.type<>'notify-work-orders' OR"
	" o.steps NOT LIKE '%" NO_WORK_ORDERS "%')"),

/* of those whose types are known: it is its operation's only one of its type,
 * and names the tickets of it */
SQL_TEXT(CHECK_JOB_FITS,
	"SELECT CONCAT('job ',u.job,' (',u.type,' of operation ',"
	"u.operation,'): ',IF(u.id IS NULL,'there is no such operation',"
	"IF(u.state<>'SUCCEEDED',CONCAT('that is ',u.state),"
	"IF(u.second,'is a second one','is of another ticket')))),"
	"IF(u.id IS NULL OR u.state<>'SUCCEEDED' OR u.second,"
	"CONCAT('DELETE FROM job WHERE id=',u.job,';'),"
	"CONCAT('UPDATE job b JOIN operation o ON o.id=',QUOTE(u.id),"
	"' JOIN ctt c ON c.id=o.ctt_id LEFT JOIN ntt n ON n.id=o.ntt_id"
	" SET b.payload=JSON_SET(b.payload,''$.cttId'',c.id,"
	"''$.cttTicketNo'',c.ticket_no,''$.nttId'',COALESCE(n.id,"
	"JSON_VALUE(b.payload,''$.nttId'')),''$.nttTicketNo'',"
	"COALESCE(n.ticket_no,JSON_VALUE(b.payload,''$.nttTicketNo'')))"
	" WHERE b.id=',u.job,';'))"
	" FROM(SELECT b.id job,b.type,b.operation,o.id,o.state,"
	"b.dedupe_key<>CONCAT(o.id,':',b.type) second,"
	"NOT(b.ctt_id<=>o.ctt_id) OR"
	" NOT(COALESCE(o.ntt_id,b.ntt_id)<=>b.ntt_id) other"
	" FROM(SELECT id,type,dedupe_key,"
	"CONVERT(JSON_VALUE(payload,'$.operationId') USING ascii) operation,"
	"CAST(JSON_VALUE(payload,'$.cttId') AS UNSIGNED) ctt_id,"
	"CAST(JSON_VALUE(payload,'$.nttId') AS UNSIGNED) ntt_id"
	" FROM job WHERE type IN('create-ctt-related-kci','update-tmf-list',"
	"'notify-work-orders','update-unlinked-ctt','update-resolved-ctt',"
	"'sync-note-to-taas')) b LEFT JOIN operation o"
	" ON o.id=b.operation COLLATE ascii_bin"
	" WHERE b.operation IS NOT NULL) u"
	" WHERE u.id IS NULL OR u.state<>'SUCCEEDED' OR u.second OR u.other"),

/* no wait is longer than an hour (CTT_RETRY_CAP_MS) */
SQL_TEXT(CHECK_JOB_LATE,
	"SELECT CONCAT('job ',b.id,' (',b.type,'): is to be delivered in ',"
	"TIMESTAMPDIFF(DAY," NOW ",b.run_at),' days'),"
	"CONCAT('UPDATE job SET run_at=" NOW " WHERE id=',b.id,';')"
	" FROM job b WHERE b.state='READY' AND b.run_at>" NOW
	"+INTERVAL 1 DAY"),

/* a resolution has one, and an unlink of a CTT that had one before */
SQL_TEXT(CHECK_ACTIVITY,
	"SELECT CONCAT('operation ',o.id,': has ',COUNT(a.id),"
	"' activities'),IF(COUNT(a.id),NULL,"
	"CONCAT('INSERT INTO ctt_activity(ctt_id,type,status,cause_code,"
	"disposition,resolution_code,delay_reason,created_by,created_at,"
	"operation_id) SELECT c.id,',IF(o.kind='UNLINK',"
	"'''Follow Up'',c.status,NULL,NULL,NULL,NULL',"
	"'JSON_VALUE(o.intent,''$.type''),''Resolved'',"
	"JSON_VALUE(o.intent,''$.causeCode''),"
	"JSON_VALUE(o.intent,''$.disposition''),"
	"JSON_VALUE(o.intent,''$.resolutionCode''),"
	"JSON_VALUE(o.intent,''$.delayReason'')'),',o.actor," NOW ",o.id"
	" FROM operation o JOIN ctt c ON c.id=o.ctt_id WHERE o.id=',"
	"QUOTE(o.id),'; '," MEND_NOTE "))"
	" FROM operation o LEFT JOIN ctt_activity a ON a.operation_id=o.id"
	" WHERE o.state='SUCCEEDED' AND NOT o.mends AND(o.kind='RESOLVE' OR o.kind='UNLINK'"
	" AND o.steps LIKE '%[\"follow_up\",\"ok\",%')"
	" GROUP BY o.id HAVING COUNT(a.id)<>1"),

/* a CTT stays as its last resolution left it, until somebody else adds an
 * activity, or closes it */
SQL_TEXT(CHECK_STATUS,
	"SELECT CONCAT('ctt ',c.id,': is ',c.status,', resolved at ',"
	"COALESCE(c.resolved_at,'no time'),', and operation ',o.id,"
	"' resolved it at ',o.updated_at),"
	"CONCAT('UPDATE ctt c JOIN operation o ON o.id=',QUOTE(o.id),"
	"' SET c.status=''Resolved'',c.resolved_at=o.updated_at WHERE c.id=',"
	"c.id,';')"
	" FROM ctt c JOIN operation o ON o.ctt_id=c.id AND o.seq=("
	"SELECT MAX(p.seq) FROM operation p WHERE p.ctt_id=c.id"
	" AND p.kind='RESOLVE' AND p.state='SUCCEEDED' AND NOT p.mends)"
	" JOIN ctt_activity a ON a.operation_id=o.id"
	" WHERE c.status NOT IN('Closed','Cancel') AND(c.status<>'Resolved'"
	" OR c.resolved_at IS NULL OR"
	" ABS(TIMESTAMPDIFF(SECOND,o.updated_at,c.resolved_at))>60)"
	" AND NOT EXISTS(SELECT 1 FROM ctt_activity b WHERE b.ctt_id=c.id"
	" AND b.id>a.id AND b.operation_id IS NULL)"),

/* of an activity that cttd made one note says what it has to */
SQL_TEXT(CHECK_NOTE,
	"SELECT CONCAT('operation ',u.op,': its activity ',u.activity,' has ',"
	"COUNT(t.id),' notes that say \"',u.text,'\"'),"
	"IF(COUNT(t.id),CONCAT('DELETE FROM activity_note WHERE activity_id=',"
	"u.activity,' AND id>',MIN(t.id),' AND BINARY text=BINARY ',"
	"QUOTE(u.text),';'),COALESCE((SELECT CONCAT('UPDATE activity_note"
	" SET text=',QUOTE(u.text),' WHERE id=',MAX(w.id),';')"
	" FROM activity_note w WHERE w.ctt_id=u.ctt_id"
	" AND w.activity_id=u.activity AND w.author=u.actor),u.mend))"
	" FROM(SELECT o.id op,o.actor,a.id activity,a.ctt_id,"
	"IF(o.kind='RESOLVE',o.remark,CONCAT_WS(': ',"
	"CONCAT('Unlinked from NTT ',COALESCE(JSON_VALUE(o.partner_call,"
	"'$.nttTicketNo'),n.ticket_no)),o.remark)) text,"
	MEND_NOTE " mend"
	" FROM operation o JOIN ctt_activity a ON a.operation_id=o.id"
	" LEFT JOIN ntt n ON n.id=o.ntt_id"
	" WHERE o.state='SUCCEEDED' AND NOT o.mends AND(o.kind='UNLINK' OR"
	" o.kind='RESOLVE' AND o.remark IS NOT NULL)) u"
	" LEFT JOIN activity_note t ON t.ctt_id=u.ctt_id"
	" AND t.activity_id=u.activity AND BINARY t.text=BINARY u.text"
	" GROUP BY u.activity HAVING COUNT(t.id)<>1"),

SQL_TEXT(CHECK_HISTORY,
	"SELECT CONCAT('operation ',o.id,': has ',COUNT(h.id),"
	"' rows of CPE history'),IF(COUNT(h.id),NULL,"
	"CONCAT('INSERT INTO cpe_history(ctt_id,network_element_id,"
	"before_json,after_json,actor,operation_id,created_at) SELECT"
	" o.ctt_id,JSON_VALUE(o.intent,''$.networkElementId''),"
	"JSON_QUERY(o.intent,''$.before''),JSON_QUERY(o.intent,''$.after''),"
	"o.actor,o.id," NOW " FROM operation o WHERE o.id=',QUOTE(o.id),';'))"
	" FROM operation o LEFT JOIN cpe_history h"
	" ON h.ctt_id=o.ctt_id AND h.operation_id=o.id"
	" WHERE o.kind='CPE_UPDATE' AND o.state='SUCCEEDED' AND NOT o.mends"
	" GROUP BY o.id HAVING COUNT(h.id)<>1"),

/* an element, and its copy for reporting, is as its last operation left it */
#define AFTER(member) "JSON_VALUE(o.intent,'$.after." member "')"
#define IS_AFTER(t)                                                          \
	"(" t ".manufacturer<=>" AFTER("manufacturer") " COLLATE utf8mb4_bin"\
	" AND " t ".model<=>" AFTER("model") " COLLATE utf8mb4_bin"          \
	" AND " t ".ip_address<=>" AFTER("ipAddress")                        \
	" AND " t ".bandwidth_mbps<=>" AFTER("bandwidthMbps")                \
	" AND " t ".port<=>" AFTER("port") " COLLATE utf8mb4_bin)"
#define MEND_AFTER(member) "JSON_VALUE(o.intent,''$.after." member "'')"
#define LAST_CPE                                                             \
	" FROM(SELECT JSON_VALUE(p.intent,'$.networkElementId') element,"    \
	"MAX(p.seq) seq FROM operation p WHERE p.kind='CPE_UPDATE'"          \
	" AND p.state='SUCCEEDED' AND NOT p.mends GROUP BY element) u"                       \
	" JOIN operation o ON o.seq=u.seq JOIN network_element e"            \
	" ON e.id=CAST(u.element AS UNSIGNED)"
SQL_TEXT(CHECK_ELEMENT,
	"SELECT CONCAT('network_element ',e.id,': differs from what operation ',"
	"o.id,' made of it'),"
	"CONCAT('UPDATE network_element e JOIN operation o ON o.id=',"
	"QUOTE(o.id),' SET e.manufacturer=" MEND_AFTER("manufacturer")
	",e.model=" MEND_AFTER("model") ",e.ip_address=" MEND_AFTER("ipAddress")
	",e.bandwidth_mbps=" MEND_AFTER("bandwidthMbps")
	",e.port=" MEND_AFTER("port") " WHERE e.id=',e.id,';')"
	LAST_CPE " WHERE NOT " IS_AFTER("e")),
SQL_TEXT(CHECK_COPY,
	"SELECT CONCAT('corp_data_temp of network_element ',e.id,"
	"IF(t.id IS NULL,': is missing',': differs'),' since operation ',o.id),"
	"CONCAT('REPLACE INTO corp_data_temp(ctt_id,network_element_id,"
	"manufacturer,model,ip_address,bandwidth_mbps,port,updated_at)"
	" SELECT o.ctt_id,',e.id,'," MEND_AFTER("manufacturer") ","
	MEND_AFTER("model") "," MEND_AFTER("ipAddress") ","
	MEND_AFTER("bandwidthMbps") "," MEND_AFTER("port") "," NOW
	" FROM operation o WHERE o.id=',QUOTE(o.id),';')"
	LAST_CPE " LEFT JOIN corp_data_temp t ON t.network_element_id=e.id"
	" WHERE t.id IS NULL OR t.ctt_id<>o.ctt_id OR NOT " IS_AFTER("t")),

/* nobody tries it, or in vain for longer than a partner should be away */
SQL_TEXT(CHECK_OPEN,
	"SELECT CONCAT('operation ',o.id,': is ',o.state,"
	"IF(o.next_try_at<" NOW "-INTERVAL 60 SECOND,CONCAT(', and was due ',"
	"TIMESTAMPDIFF(SECOND,o.next_try_at," NOW "),' s ago'),"
	"CONCAT(' for ',TIMESTAMPDIFF(SECOND,o.created_at," NOW "),"
	"' s, after ',o.tries,' tries'))),"
	"CONCAT('UPDATE operation SET owner=NULL,next_try_at=" NOW
	" WHERE id=',QUOTE(o.id),';')"
	" FROM operation o WHERE o.open_ctt_id IS NOT NULL"
	" AND(o.next_try_at<" NOW "-INTERVAL 60 SECOND AND " ABANDONED("o")
	" OR o.created_at<" NOW "-INTERVAL 1 HOUR)"),

/* the chain of the audit trail: store/audit.h */

/* -> the types of tickets that have a trail */
SQL_TEXT(AUDIT_TYPES, "SELECT DISTINCT entity_type FROM audit_log"),

/* {"type","ticket","id"}: behind this row, ticket by ticket -> id, type,
 * ticket, action, outcome, actor, request_id, operation_id, detail,
 * created_at, hash */
SQL_TEXT(AUDIT_TRAIL,
	BEGIN_WITH_J
	"DECLARE y VARCHAR(8) CHARACTER SET utf8mb4"
	" DEFAULT JSON_VALUE(j,'$.type');"
	"DECLARE e BIGINT UNSIGNED DEFAULT JSON_VALUE(j,'$.ticket');"
	"DECLARE i BIGINT UNSIGNED DEFAULT JSON_VALUE(j,'$.id');"
	"SELECT l.id,l.entity_type,l.entity_id,l.action,l.outcome,l.actor,"
	"l.request_id,l.operation_id,l.detail,CAST(l.created_at AS CHAR),"
	"l.hash FROM audit_log l WHERE l.entity_type=y"
	" AND(l.entity_id>e OR l.entity_id=e AND l.id>i)"
	" ORDER BY l.entity_id,l.id LIMIT 1000;"
	"END"),

/* the rows that come from now on are chained; what was noted stays */
SQL_TEXT(AUDIT_START,
	"INSERT IGNORE INTO audit_start(id,audit_id)"
	" SELECT 1,COALESCE(MAX(id),0) FROM audit_log"),

/* -> from which row on they have to be; NULL: none is */
SQL_TEXT(AUDIT_FIRST,
	"SELECT MIN(x.id) FROM(SELECT audit_id+1 id FROM audit_start UNION ALL"
	" (SELECT id FROM audit_log WHERE hash IS NOT NULL"
	" ORDER BY id LIMIT 1)) x"),

/* {"id":n}: what was added behind this row -> id of the last row that was looked
 * at; id, type, ticket, hash of those that are chained. An old trail is passed
 * over in parts: no index knows where the chain begins. A row whose COMMIT is
 * still to come is waited for, by its lock, or it would be passed by; hence the
 * rows of the last moment are left for later. A time to come was written before
 * the clock was set back. InnoDB shows a row before it is sure to survive; a
 * COMMIT that follows makes it so, and that of the mark is one. */
SQL_TEXT(AUDIT_NEWS,
	BEGIN_WITH_J
	"DECLARE i BIGINT UNSIGNED DEFAULT JSON_VALUE(j,'$.id');"
	"SELECT MAX(x.id) INTO @passed FROM(SELECT l.id FROM audit_log l"
	" WHERE l.id>i AND(l.created_at<" NOW "-INTERVAL 2 SECOND"
	" OR l.created_at>" NOW ") ORDER BY l.id LIMIT 100000) x;"
	"SELECT @passed;"
	"START TRANSACTION;"
	"SELECT l.id,l.entity_type,l.entity_id,l.hash FROM audit_log l"
	" WHERE l.id>i AND l.id<=@passed AND l.hash IS NOT NULL"
	" ORDER BY l.id LIMIT 1000 LOCK IN SHARE MODE;"
	IF_ANY("FOUND_ROWS()")
	"INSERT INTO audit_mark(id,audit_id,marked_at) VALUES(1,@passed," NOW ")"
	" ON DUPLICATE KEY UPDATE audit_id=@passed,marked_at=" NOW ";"
	END_IF
	"COMMIT; END"),

/* {"head":[{"id","type","ticket","hash"}...]} -> id, type, ticket of those
 * that are not there any more */
SQL_TEXT(AUDIT_GONE,
	BEGIN_WITH_J
	"SELECT x.id,x.type,x.ticket FROM" JSON_ROWS("$.head[*]",
		ID_AT("$.id") ",type VARCHAR(8) PATH '$.type',"
		"ticket BIGINT UNSIGNED PATH '$.ticket',"
		"hash CHAR(64) CHARACTER SET ascii PATH '$.hash'")
	"LEFT JOIN audit_log l ON l.id=x.id AND l.entity_type=x.type"
	" AND l.entity_id=x.ticket AND l.hash=x.hash WHERE l.id IS NULL;"
	"END"),

SQL_TEXT(CURRENT_USER, "SELECT CURRENT_USER()"),

/* {"user":"name@host"} -> the texts that give cttd's user the rights that it
 * needs: it adds to the audit trail, and takes nothing away from it */
SQL_TEXT(GRANTS,
	BEGIN_WITH_J
	"DECLARE u VARCHAR(255) CHARACTER SET utf8mb4"
	" DEFAULT JSON_VALUE(j,'$.user');"
	"SET u=CONCAT(' TO ',QUOTE(SUBSTRING_INDEX(u,'@',1)),'@',"
	"QUOTE(SUBSTRING_INDEX(u,'@',-1)));"
	"SELECT CONCAT('GRANT SELECT ON `',DATABASE(),'`.*',u) UNION ALL "
	"SELECT CONCAT('GRANT INSERT',"
	"IF(t.table_name IN('audit_log','audit_start'),'',',UPDATE,DELETE'),' ON `',"
	"t.table_name,'`',u) FROM information_schema.tables t"
	" WHERE t.table_schema=DATABASE() AND t.table_name<>'schema_version';"
	"END"),
};
