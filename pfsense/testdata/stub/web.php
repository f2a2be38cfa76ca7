<?php
// The same behind a web server that can be hung up on: php -S with this as its router. The box is in the environment.
$code = file_get_contents('php://input');
(function () use ($code) {
	eval($code);
	file_put_contents(getenv('STUB_BOX') . '/answered', $toreturn);
	echo $toreturn;
})();
