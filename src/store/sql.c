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
	F("a", "14", "steps", "JSON", "steps")
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

/* ops: id, was, state, error, tries, nextMs, why, steps: the operations' new
 * states; all or none */
#define SET_OPERATION(state, error, tries, next_ms, why, steps)              \
	" SET o.state=" state ",o.error_code=" error ",o.steps=" steps ","   \
	"o.tries=" tries ",o.next_try_at=" IN_MS(next_ms) ","                \
	"o.last_error=LEFT(" why ",255),o.owner=NULL,o.updated_at=" NOW
#define UPDATE_OPERATIONS                                                    \
	"IF ?Z THEN "                                                        \
	"UPDATE operation o" SET_OPERATION("?c2", "?c3", "?c4", "?c5",       \
		"?c6", "?c7")                                                \
	" WHERE o.id=?c0 AND o.state=?c1;"                                   \
	"ELSE "                                                              \
	"UPDATE" ROWS_OF("?c", "$[*]", OP_ID_AT("$.id") ","                  \
		"was VARCHAR(16) PATH '$.was',"                              \
		"state VARCHAR(16) PATH '$.state',"                          \
		"error_code VARCHAR(64) PATH '$.error',"                     \
		"tries INT UNSIGNED PATH '$.tries',"                         \
		"next_ms BIGINT PATH '$.nextMs',"                            \
		"why TEXT PATH '$.why',"                                     \
		"steps JSON PATH '$.steps'")                                 \
	"STRAIGHT_JOIN operation o ON o.id=x.id"                             \
	SET_OPERATION("x.state", "x.error_code", "x.tries", "x.next_ms",     \
		      "x.why", "x.steps")                                    \
	" WHERE o.state=x.was; END IF;"

/* statuses [{"id","status"}]: what a resolve makes of the CTT */
#define UPDATE_STATUSES                                                      \
	IF_ANY("?D")                                                         \
	"UPDATE" ROWS_OF("?d", "$[*]", ID_AT("$.id") ","                     \
		"status VARCHAR(32) PATH '$.status'")                        \
	"STRAIGHT_JOIN ctt c ON c.id=x.id SET c.status=x.status,"            \
	"c.resolved_at=" NOW ",c.updated_at=" NOW ";"                        \
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

#define INTO_JOB                                                             \
	"INSERT INTO job(type,dedupe_key,payload,run_at,since,created_at,"   \
	"updated_at) "
#define JOB_TIMES NOW "," NOW "," NOW "," NOW
#define JOB(type, key, payload) \
	"(?h" type ",?h" key ",?h" payload "," JOB_TIMES ")"
#define INSERT_JOBS                                                          \
	"IF ?Z AND ?H=3 THEN "                                               \
	INTO_JOB "VALUES" JOB("0", "1", "2") "," JOB("3", "4", "5") ","      \
	JOB("6", "7", "8") ";"                                               \
	"ELSEIF ?Z AND ?H=2 THEN "                                           \
	INTO_JOB "VALUES" JOB("0", "1", "2") "," JOB("3", "4", "5") ";"      \
	"ELSEIF ?Z AND ?H=1 THEN "                                           \
	INTO_JOB "VALUES" JOB("0", "1", "2") ";"                             \
	"ELSEIF ?H THEN "                                                    \
	INTO_JOB "SELECT x.type,x.dedupe_key,x.payload," JOB_TIMES " FROM"   \
	ROWS_OF("?h", "$[*]", "type VARCHAR(64) PATH '$.type',"              \
		"dedupe_key VARCHAR(128) PATH '$.dedupeKey',"                \
		"payload JSON PATH '$.payload'") ";"                         \
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
	"SELECT x.id,a.id,t.id FROM"                                         \
	ROWS_OF("?e", "$[*]", OP_ID_AT("$.operationId"))                     \
	"STRAIGHT_JOIN ctt_activity a ON a.operation_id=x.id"                \
	" LEFT JOIN activity_note t ON t.ctt_id=a.ctt_id"                    \
	" AND t.activity_id=a.id;"                                           \
	END_IF
#define SELECT_ELEMENTS                                                      \
	IF_ANY("?G")                                                         \
	"SELECT x.op,h.id,NULL FROM"                                         \
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
	"NULL,NULL FROM" ctts where " FOR UPDATE)"

#define AND_OPEN(operations)                                                 \
	" UNION ALL SELECT 'open',o.open_ctt_id,o.id,o.kind,o.state,"        \
	ABANDONED("o") ",TIMESTAMPDIFF(MICROSECOND," NOW ",o.next_try_at)"   \
	" DIV 1000,NULL,NULL,NULL,NULL FROM" operations

#define AND_NTTS(ntts, where)                                                \
	" UNION ALL SELECT 'ntt'," NTT_COLUMNS ",w.id,w.order_no,w.status,"  \
	"NULL,n.status,NULL,NULL FROM"                                       \
	ntts " LEFT JOIN work_order w ON w.ntt_id=n.id" where

/* what a pair went through of late */
#define AND_PAIRS(pairs)                                                     \
	" UNION ALL SELECT 'pair',o.ctt_id,o.ntt_id,o.kind,o.seq,"           \
	"TIMESTAMPDIFF(MICROSECOND," NOW ",o.updated_at+INTERVAL ?d SECOND)" \
	" DIV 1000,NULL,NULL,NULL,NULL,NULL FROM"                            \
	pairs "o.kind IN('LINK','UNLINK') AND o.state='SUCCEEDED'"           \
	" AND o.updated_at>" NOW "-INTERVAL ?d SECOND"

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

/*
 * A page of tickets by rising id, of which not more is read than it shows, as
 * far as an index can do that: status and linked are found in the order of ids,
 * by an index for each of them and for both. The beginning of a number is not:
 * what fewer than FEW numbers begin with is found by the numbers, and sorted;
 * what more begin with is looked for on the way along the ids. That way is long
 * where these stand together far from the cursor, or few of them have the
 * status, or the link, that is asked for and many others have: no index is in
 * the order of ids and of numbers.
 */
#define FEW "1000"
#define LIST_FILTERS /* NULL is any */                                       \
	"DECLARE m INT DEFAULT JSON_VALUE(j,'$.limit');"                     \
	"DECLARE a BIGINT UNSIGNED DEFAULT JSON_VALUE(j,'$.after');"         \
	"DECLARE q VARCHAR(255) CHARACTER SET utf8mb4"                       \
	" DEFAULT JSON_VALUE(j,'$.q');"                                      \
	"DECLARE s VARCHAR(32) CHARACTER SET utf8mb4"                        \
	" DEFAULT JSON_VALUE(j,'$.status');"                                 \
	"DECLARE l INT DEFAULT JSON_VALUE(j,'$.linked');"                    \
	"DECLARE n INT DEFAULT " FEW ";"
#define LIKE_Q(t) " AND(q IS NULL OR " t ".ticket_no LIKE q)"
#define WITH_S(t) " AND " t ".status=s"
#define WITH_L(t) " AND " t ".linked=l"
#define LIST(name, t, page)                                                  \
	IF_ANY("q IS NOT NULL")                                              \
	"SELECT COUNT(*) INTO n FROM(SELECT 1 FROM " name                    \
	" FORCE INDEX(" name "_ticket_no) WHERE ticket_no LIKE q"            \
	" LIMIT " FEW ") x;"                                                 \
	END_IF                                                               \
	"IF n<" FEW " THEN "                                                 \
	page(name "_ticket_no", " AND " t ".ticket_no LIKE q"                \
	     " AND(s IS NULL OR " t ".status=s)"                             \
	     " AND(l IS NULL OR " t ".linked=l)")                            \
	"ELSEIF s IS NULL AND l IS NULL THEN "                               \
	page("PRIMARY", LIKE_Q(t))                                           \
	"ELSEIF l IS NULL THEN "                                             \
	page(name "_status", WITH_S(t) LIKE_Q(t))                            \
	"ELSEIF s IS NULL THEN "                                             \
	page(name "_linked", WITH_L(t) LIKE_Q(t))                            \
	"ELSE "                                                              \
	page(name "_status_linked", WITH_S(t) WITH_L(t) LIKE_Q(t))           \
	END_IF

/* How many CTTs are linked to ntt n, in the eyes of its count: a link whose
 * operation is open counts only when that is closed, although it is saved
 * already; an unlink the other way round. q: a quote, or two in a text. */
#define LINKED(q)                                                            \
	"((SELECT COUNT(*) FROM ctt c LEFT JOIN operation o"                 \
	" ON o.open_ctt_id=c.id AND o.kind=" q "LINK" q                      \
	" AND o.ntt_id=n.id WHERE c.ntt_id=n.id AND o.id IS NULL)+"          \
	"(SELECT COUNT(*) FROM operation o JOIN ctt c ON c.id=o.open_ctt_id" \
	" WHERE o.kind=" q "UNLINK" q " AND o.ntt_id=n.id"                   \
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

/* {"op":[{"id"}...]} -> id, state, steps of those there are; waits for who
 * is writing one just now */
SQL_TEXT(OP_PEEK,
	BEGIN_WITH_J
	"START TRANSACTION;"
	"SELECT o.id,o.state,o.steps,o.error_code FROM"
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
	" SET o.owner=JSON_VALUE(j,'$.owner')"
	" WHERE o.state IN('RUNNING','SETTLING') AND " IS_OURS("o")
	" AND " ABANDONED("o") ";"
	"COMMIT;"
	"SELECT o.id,o.kind,o.state,o.ctt_id,o.ntt_id,o.actor,o.request_id,"
	"o.remark,o.intent,o.steps,o.undoing,o.tries,o.error_code,"
	"o.item_index,o.idempotency_id FROM"
	JSON_ROWS("$.op[*]", OP_ID_AT("$.id"))
	"STRAIGHT_JOIN operation o ON o.id=x.id"
	" WHERE o.owner=JSON_VALUE(j,'$.owner')"
	" AND o.state IN('RUNNING','SETTLING');"
	"END"),

/* {"op":[{"id"}...]}: the partner said yes to these; from now on only the
 * inverse call is missing */
SQL_TEXT(OP_UNDOING,
	BEGIN_WITH_J
	"UPDATE" JSON_ROWS("$.op[*]", OP_ID_AT("$.id"))
	"STRAIGHT_JOIN operation o ON o.id=x.id SET o.undoing=1"
	" WHERE o.state='SETTLING'; END"),

/* {"op":[{"id"}...],"nextMs","why"}: let go of these until later */
SQL_TEXT(OP_DEFER,
	BEGIN_WITH_J
	"UPDATE" JSON_ROWS("$.op[*]", OP_ID_AT("$.id"))
	"STRAIGHT_JOIN operation o ON o.id=x.id SET o.owner=NULL,"
	"o.tries=o.tries+1,o.last_error=JSON_VALUE(j,'$.why'),"
	"o.next_try_at=" IN_MS("JSON_VALUE(j,'$.nextMs')")
	" WHERE o.open_ctt_id IS NOT NULL; END"),

/* Begin, and lock jobs that are due -> id, type, payload, dedupe_key,
 * attempts, refusals, age in seconds, created_at. Jobs whose worker is gone
 * count. */
SQL_TEXT(JOB_PICK,
	"BEGIN NOT ATOMIC "
	"START TRANSACTION;"
	"UPDATE job SET state='READY',owner=NULL WHERE state='RUNNING' AND "
	ABANDONED("job") ";"
	"SELECT id,type,payload,dedupe_key,attempts,refusals,"
	"TIMESTAMPDIFF(SECOND,since," NOW ")," UTC("created_at")
	" FROM job WHERE state='READY' AND run_at<=" NOW
	" ORDER BY run_at,id LIMIT 128 FOR UPDATE SKIP LOCKED;"
	"END"),

/* {"id":[id...],"owner":name}: the jobs that were picked are ours; COMMIT */
SQL_TEXT(JOB_TAKE,
	BEGIN_WITH_J
	"UPDATE" JSON_ROWS("$.id[*]", ID_AT("$"))
	"STRAIGHT_JOIN job b ON b.id=x.id SET b.state='RUNNING',"
	"b.owner=JSON_VALUE(j,'$.owner'),b.attempts=b.attempts+1,"
	"b.updated_at=" NOW ";"
	"COMMIT; END"),

/* {"job":[{"id","state","nextMs","why","refused"}],"owner":name}: what became
 * of them */
SQL_TEXT(JOB_CLOSE,
	BEGIN_WITH_J
	"UPDATE" JSON_ROWS("$.job[*]", ID_AT("$.id") ","
		"state VARCHAR(16) PATH '$.state',"
		"next_ms BIGINT PATH '$.nextMs',"
		"refused INT PATH '$.refused',"
		"why TEXT PATH '$.why'")
	"STRAIGHT_JOIN job b ON b.id=x.id SET b.state=x.state,b.owner=NULL,"
	"b.refusals=b.refusals+x.refused,"
	"b.run_at=" IN_MS("x.next_ms") ",b.last_error=LEFT(x.why,255),"
	"b.updated_at=" NOW " WHERE b.state='RUNNING'"
	" AND b.owner=JSON_VALUE(j,'$.owner'); END"),

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

/* {"requestId":id} -> counts by state; the operations */
SQL_TEXT(READ_REQUEST,
	BEGIN_WITH_J
	"SELECT o.state,COUNT(*) FROM operation o"
	" WHERE o.request_id=JSON_VALUE(j,'$.requestId') GROUP BY o.state;"
	"SELECT o.id,o.kind,o.state,o.ctt_id,c.ticket_no,o.ntt_id,n.ticket_no,"
	"o.partner,o.error_code," UTC("o.created_at") "," UTC("o.updated_at")
	" FROM operation o LEFT JOIN ctt c ON c.id=o.ctt_id"
	" LEFT JOIN ntt n ON n.id=o.ntt_id"
	" WHERE o.request_id=JSON_VALUE(j,'$.requestId') ORDER BY o.id;"
	"END"),

/* {"id":n} -> the CTT; its open operation; latest activity;
 * notes; network elements; recent audit */
SQL_TEXT(READ_CTT,
	BEGIN_WITH_J
	"DECLARE i BIGINT UNSIGNED DEFAULT JSON_VALUE(j,'$.id');"
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
	"SELECT l.id,l.action,l.outcome,l.actor,l.request_id,l.operation_id,"
	"l.detail," UTC("l.created_at") " FROM audit_log l"
	" WHERE l.entity_type='CTT' AND l.entity_id=i"
	" ORDER BY l.id DESC LIMIT 50;"
	"END"),

/* {"id":n} -> the NTT; its work orders; recent audit */
SQL_TEXT(READ_NTT,
	BEGIN_WITH_J
	"DECLARE i BIGINT UNSIGNED DEFAULT JSON_VALUE(j,'$.id');"
	"SELECT " NTT_COLUMNS ",n.title,n.status," UTC("n.created_at") ","
	UTC("n.updated_at") " FROM ntt n WHERE n.id=i;"
	"SELECT w.id,w.order_no,w.status FROM work_order w"
	" WHERE w.ntt_id=i ORDER BY w.id;"
	"SELECT l.id,l.action,l.outcome,l.actor,l.request_id,l.operation_id,"
	"l.detail," UTC("l.created_at") " FROM audit_log l"
	" WHERE l.entity_type='NTT' AND l.entity_id=i"
	" ORDER BY l.id DESC LIMIT 50;"
	"END"),

/* {"id":n,"after":id,"limit":n} -> the NTT's id; a page of its CTTs */
SQL_TEXT(READ_NTT_CTTS,
	BEGIN_WITH_J
	"DECLARE m INT DEFAULT JSON_VALUE(j,'$.limit');"
	"SELECT n.id FROM ntt n WHERE n.id=JSON_VALUE(j,'$.id');"
	"SELECT " CTT_COLUMNS ",o.id FROM ctt c"
	" LEFT JOIN operation o ON o.open_ctt_id=c.id"
	" WHERE c.ntt_id=JSON_VALUE(j,'$.id')"
	" AND c.id>JSON_VALUE(j,'$.after') ORDER BY c.id LIMIT m;"
	"END"),

/* {"q" (a pattern),"status","linked","after","limit"} -> a page */
#define CTT_PAGE(index, where)                                               \
	"SELECT " CTT_COLUMNS ",o.id FROM ctt c FORCE INDEX(" index ")"      \
	" LEFT JOIN operation o ON o.open_ctt_id=c.id WHERE c.id>a" where    \
	" ORDER BY c.id LIMIT m;"
#define NTT_PAGE(index, where)                                               \
	"SELECT " NTT_COLUMNS ",n.title,n.status FROM ntt n FORCE INDEX("    \
	index ") WHERE n.id>a" where " ORDER BY n.id LIMIT m;"
SQL_TEXT(LIST_CTT, BEGIN_WITH_J LIST_FILTERS LIST("ctt", "c", CTT_PAGE) "END"),
SQL_TEXT(LIST_NTT, BEGIN_WITH_J LIST_FILTERS LIST("ntt", "n", NTT_PAGE) "END"),

SQL_TEXT(READ_LOV,
	"SELECT type,code,label FROM lov WHERE active ORDER BY type,code"),

SQL_TEXT(PING, "SELECT 1"),

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

/* -> name of a gauge, value; which is counted no further than to 10,000 */
#define GAUGE(name, table, state, open)                                      \
	"SELECT '" name "{state=\"" state "\"}',COUNT(*) FROM(SELECT 1 FROM "\
	table " WHERE state='" state "'" open " LIMIT 10000) x"
#define OPEN_IN(state)                                                       \
	GAUGE("cttd_operations_open", "operation", state,                    \
	      " AND open_ctt_id IS NOT NULL")
#define JOBS_IN(state) GAUGE("cttd_jobs", "job", state, "")
SQL_TEXT(METRICS,
	OPEN_IN("RUNNING") " UNION ALL " OPEN_IN("SETTLING") " UNION ALL "
	JOBS_IN("READY") " UNION ALL " JOBS_IN("RUNNING") " UNION ALL "
	JOBS_IN("DEAD")),

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
	" AND p.kind IN('LINK','UNLINK') AND p.state='SUCCEEDED')"
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
	" AND(e.type='CTT' OR o.kind IN('LINK','UNLINK') OR n.id IS NOT NULL)"
	" AND l.id IS NULL) u"),

SQL_TEXT(CHECK_AUDIT_ONCE,
	"SELECT CONCAT('operation ',l.operation_id,': has ',COUNT(*),' ',"
	"l.entity_type,' audit rows'),NULL FROM audit_log l"
	" WHERE l.operation_id<>'' GROUP BY l.operation_id,l.entity_type"
	" HAVING COUNT(*)>1"),

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
	" WHERE o.state='SUCCEEDED' AND b.id IS NULL"
	" AND(t.type<>'sync-note-to-taas' OR"
	" o.partner='TAAS' AND o.remark IS NOT NULL)"
	" AND(t.type<>'notify-work-orders' OR"
	" o.steps NOT LIKE '%" NO_WORK_ORDERS "%')"),

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
	" WHERE o.state='SUCCEEDED' AND(o.kind='RESOLVE' OR o.kind='UNLINK'"
	" AND o.steps LIKE '%[\"follow_up\",\"ok\",%')"
	" GROUP BY o.id HAVING COUNT(a.id)<>1"),

SQL_TEXT(CHECK_NOTE,
	"SELECT CONCAT('operation ',o.id,': its activity ',a.id,"
	"' has no note')," MEND_NOTE
	" FROM operation o JOIN ctt_activity a ON a.operation_id=o.id"
	" LEFT JOIN activity_note t ON t.ctt_id=a.ctt_id AND t.activity_id=a.id"
	" WHERE o.state='SUCCEEDED' AND t.id IS NULL AND(o.kind='UNLINK' OR"
	" o.kind='RESOLVE' AND o.remark IS NOT NULL)"),

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
	" WHERE o.kind='CPE_UPDATE' AND o.state='SUCCEEDED'"
	" GROUP BY o.id HAVING COUNT(h.id)<>1"),

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

/* -> the first row that is chained */
SQL_TEXT(AUDIT_FIRST,
	"SELECT id FROM audit_log WHERE hash IS NOT NULL ORDER BY id LIMIT 1"),

/* {"id":n}: what was added behind this row, but for what may still be between
 * its INSERT and its COMMIT -> id of the last row that was looked at; id, type,
 * ticket, hash of those that are chained. An old trail is passed over in parts:
 * no index knows where the chain begins. InnoDB shows a row before it is sure
 * to survive; a COMMIT that follows makes it so, and that of the mark is one. */
SQL_TEXT(AUDIT_NEWS,
	BEGIN_WITH_J
	"DECLARE i BIGINT UNSIGNED DEFAULT JSON_VALUE(j,'$.id');"
	"SELECT MAX(x.id) INTO @passed FROM(SELECT l.id FROM audit_log l"
	" WHERE l.id>i AND l.created_at<" NOW "-INTERVAL 2 SECOND"
	" ORDER BY l.id LIMIT 100000) x;"
	"SELECT @passed;"
	"SELECT l.id,l.entity_type,l.entity_id,l.hash FROM audit_log l"
	" WHERE l.id>i AND l.id<=@passed AND l.hash IS NOT NULL"
	" AND l.created_at<" NOW "-INTERVAL 2 SECOND"
	" ORDER BY l.id LIMIT 1000;"
	IF_ANY("FOUND_ROWS()")
	"INSERT INTO audit_mark(id,audit_id,marked_at) VALUES(1,@passed," NOW ")"
	" ON DUPLICATE KEY UPDATE audit_id=@passed,marked_at=" NOW ";"
	END_IF
	"END"),

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
	"IF(t.table_name='audit_log','',',UPDATE,DELETE'),' ON `',"
	"t.table_name,'`',u) FROM information_schema.tables t"
	" WHERE t.table_schema=DATABASE() AND t.table_name<>'schema_version';"
	"END"),
};
