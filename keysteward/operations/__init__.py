"""What can be done with a whole stack; both doors, the command and Pulumi, call it."""
