-- {"ctts":n,"ntts":n}: adds sample tickets, with numbers above the existing
-- ones (cttctl seed). A third of the CTTs belong to TaaS. Some Managed Services
-- CTTs have network elements. Each CTT has an activity.
@statement SEED(:doc)
$takes_doc
DECLARE last_ctt BIGINT DEFAULT (SELECT COALESCE(MAX(id), 0) FROM ctt);
DECLARE last_ntt BIGINT DEFAULT (SELECT COALESCE(MAX(id), 0) FROM ntt);
DECLARE ctts, ntts BIGINT DEFAULT 0;
SET ctts = JSON_VALUE(doc, '$.ctts');
SET ntts = JSON_VALUE(doc, '$.ntts');
START TRANSACTION;
INSERT INTO ntt(ticket_no, title)
SELECT CONCAT('NTT-', LPAD(last_ntt + s.seq, 7, '0')),
	ELT(1 + s.seq % 4, 'Fiber cut', 'OLT down', 'Power failure at site',
		'Core router fault')
FROM seq_1_to_10000000 s WHERE s.seq <= ntts;
INSERT INTO work_order(ntt_id, order_no)
SELECT t.id, CONCAT('WO-', LPAD(t.id, 7, '0'))
FROM ntt t WHERE t.id > last_ntt AND t.id % 2 = 1;
INSERT INTO ctt(ticket_no, title, source, segment_group)
SELECT CONCAT(IF(s.seq % 3 = 0, 'TaaS-', 'CTT-'),
		LPAD(last_ctt + s.seq, 7, '0')),
	ELT(1 + s.seq % 3, 'No internet', 'Slow connection', 'No dial tone'),
	IF(s.seq % 3 = 0, 'TAAS', 'TMF'),
	IF(s.seq % 5 = 0, 'Managed Services', 'Retail')
FROM seq_1_to_10000000 s WHERE s.seq <= ctts;
INSERT INTO ctt_activity(ctt_id, type, status, created_by)
SELECT t.id, 'Created', 'Open', 'seed' FROM ctt t WHERE t.id > last_ctt;
INSERT INTO network_element(ctt_id, name, access_type, manufacturer, model,
	ip_address, bandwidth_mbps, port)
SELECT t.id, CONCAT('ONT-', t.id), 'FTTH', 'Huawei', 'HG8245',
	CONCAT('10.', t.id DIV 65536 % 256, '.', t.id DIV 256 % 256, '.',
		t.id % 256), 300, '1/1/1'
FROM ctt t WHERE t.id > last_ctt AND t.segment_group = 'Managed Services';
COMMIT;
SELECT <seeded>
	(SELECT ticket_no FROM ctt WHERE id = (SELECT MAX(id) FROM ctt)) AS ctt,
	(SELECT ticket_no FROM ntt WHERE id = (SELECT MAX(id) FROM ntt)) AS ntt;
