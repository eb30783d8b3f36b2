// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

// Logs like an ERC-721's and nothing else: many blocks' worth in one.
contract Flood {
    event Transfer(address indexed from, address indexed to, uint256 indexed id);

    function flood(uint256 first, uint256 count) external {
        for (uint256 i = 0; i < count; i++) {
            emit Transfer(address(0), msg.sender, first + i);
        }
    }
}
