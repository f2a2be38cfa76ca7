<?php
// Runs programs as xmlrpc.php does: by eval in a method. Each line of standard input is JSON: box, code. Each line of output: what it
// left in $toreturn, what it printed, and every notice, which on a firewall would end up in the answer.
class stub_xmlrpc {
	public function exec_php($code) {
		eval($code);
		return $toreturn ?? null;
	}
}
$notices = [];
set_error_handler(function ($level, $message, $file, $line) use (&$notices) {
	// What is silenced with @ is not shown.
	if (error_reporting() & $level) {
		$notices[] = "$message at $file:$line";
	}
	return true;
});
while (($line = fgets(STDIN)) !== false) {
	$order = json_decode($line, true);
	putenv('STUB_BOX=' . $order['box']);
	if (function_exists('stub_begin')) {
		$GLOBALS['g']['dhcpd_chroot_path'] = $order['box'] . '/chroot';
		stub_begin();
	}
	$notices = [];
	ob_start();
	try {
		$left = (new stub_xmlrpc())->exec_php($order['code']);
	} catch (Throwable $e) {
		$left = null;
		$notices[] = get_class($e) . ': ' . $e->getMessage() . ' at ' . $e->getLine();
	}
	$printed = ob_get_clean();
	fwrite(STDOUT, json_encode(['toreturn' => $left, 'printed' => (string)$printed, 'notices' => $notices, 'done' => true]) . "\n");
}
