"""What is kept between runs: ledgers, requests, evidence, last use, the heartbeat."""
