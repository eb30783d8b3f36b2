// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

// A Transfer that is no ERC-721's: only one of its parameters is indexed.
contract Odd {
    event Transfer(address indexed from, address to, uint256 id);

    function odd(address to, uint256 id) external {
        emit Transfer(msg.sender, to, id);
    }
}
