// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

// The functions and events of delegate.xyz's registry (v2): its interface, not its code. Whoever asks
// may delegate for `from`, so that a test needs no other senders.
contract Registry {
    event DelegateAll(address indexed from, address indexed to, bytes32 rights, bool enable);
    event DelegateContract(address indexed from, address indexed to, address indexed contract_, bytes32 rights,
        bool enable);
    event DelegateERC721(address indexed from, address indexed to, address indexed contract_, uint256 tokenId,
        bytes32 rights, bool enable);
    event DelegateERC1155(address indexed from, address indexed to, address indexed contract_, uint256 tokenId,
        bytes32 rights, uint256 amount);

    mapping(bytes32 => uint256) private given;

    function delegateAll(address from, address to, bytes32 rights, bool enable) external {
        given[keccak256(abi.encode(1, from, to, rights))] = enable ? 1 : 0;
        emit DelegateAll(from, to, rights, enable);
    }

    function delegateContract(address from, address to, address contract_, bytes32 rights, bool enable) external {
        given[keccak256(abi.encode(2, from, to, contract_, rights))] = enable ? 1 : 0;
        emit DelegateContract(from, to, contract_, rights, enable);
    }

    function delegateERC721(address from, address to, address contract_, uint256 id, bytes32 rights, bool enable)
        external
    {
        given[keccak256(abi.encode(3, from, to, contract_, id, rights))] = enable ? 1 : 0;
        emit DelegateERC721(from, to, contract_, id, rights, enable);
    }

    // Of all rights: one bit each for all, for the contract, for the token.
    function delegated(address from, address to, address contract_, uint256 id) external view returns (uint256) {
        return given[keccak256(abi.encode(1, from, to, bytes32(0)))]
            | given[keccak256(abi.encode(2, from, to, contract_, bytes32(0)))] << 1
            | given[keccak256(abi.encode(3, from, to, contract_, id, bytes32(0)))] << 2;
    }
}
